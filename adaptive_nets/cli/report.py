"""`adaptive-nets report`: the report of a finished search or fit."""

from absl import flags as absl_flags

from adaptive_nets import adanet
from adaptive_nets.cli import flags, output, saved, tables
from adaptive_nets.report.files import check_report_path, write_report


def report(values: absl_flags.FlagValues) -> None:
    """Writes a report, and prints its verdict.

    Args:
        values: Parsed flags of the subcommand.
    """
    check_report_path(values.out)
    output.check_target("--out", values.out, (values.model_dir, values.table, values.data))
    if values.table:
        found = tables.load_fit(values.model_dir)
        x, y = tables.opened(values.table, found.schema_, values.encoding), None
    else:
        found, x, y = saved.load(values.model_dir), None, None
    searched = isinstance(found, adanet.AdaNet)
    for name, misplaced in (("data", not searched), ("time_limit", searched)):
        if values[name].value is not None and misplaced:
            raise flags.UsageError(
                f"--{name} is for the folder of a {'fit' if searched else 'search'}. Received: "
                f"--model_dir={values.model_dir}, the folder of a "
                f"{'search' if searched else 'fit: use --table'}."
            )
    if values.data:
        x, y = saved.test_rows(values, found)
    content = found.report_data(x, y, **flags.given(values, "time_limit"))
    write_report(content, values.out)
    print(f"{content.title}\n{content.verdict}\n\nWrote {values.out}")

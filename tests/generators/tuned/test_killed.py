"""A search whose candidates Optuna chooses, ended by SIGKILL in the middle of its study."""

import json
import signal
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import json, os, signal, sys
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import adaptive_nets as an

    folder, out, *kill = sys.argv[1:]
    x = np.random.default_rng(0).normal(size=(128, 3)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype(int)

    class Kill(an.callbacks.SearchCallback):
        # After each step, so that none is passed over, however fast the machine is.
        steps_per_call = 1

        def on_round_begin(self, iteration, logs=None):
            self.iteration = iteration

        def on_train_batch_end(self, batch, logs=None):
            if kill == [f"{self.iteration}, {batch}"]:
                os.kill(os.getpid(), signal.SIGKILL)

        def on_round_end(self, iteration, logs=None):
            if kill == [f"{iteration}, end"]:
                os.kill(os.getpid(), signal.SIGKILL)

    search = an.AdaNet(
        an.heads.BinaryClass(), an.generators.Tuned(candidates_per_round=2), max_iterations=3,
        steps_per_iteration=20, checkpoint_seconds=0.01, force_grow=True, model_dir=folder, seed=0,
        jit_compile=False,
    )
    search.fit(x, y, validation_data=(x[:32], y[:32]), callbacks=[Kill()], verbose=0)
    study = search.settings.generator.study(search.state.reports)
    trials = [[trial.params, trial.value, trial.state.name] for trial in study.trials]
    weights = [float(np.sum(np.abs(each))) for each in search.model.get_weights()]
    with open(out, "w") as file:
        json.dump([trials, weights], file)
    """
)


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been(python, tmp_path):
    def run(folder, *kill):
        out = tmp_path / f"{folder}.json"
        done = python.run("-c", SCRIPT, tmp_path / folder, out, *kill, check=False)
        assert done.returncode == (-signal.SIGKILL if kill else 0), done.stderr
        return None if kill else json.loads(out.read_text())

    trials, weights = run("whole")
    # The first four trials are random; TPE learns from them what it asks for in the third round.
    assert len(trials) == 6 and [state for _, _, state in trials] == ["COMPLETE"] * 6
    for kill in ("2, end", "3, 9"):
        run("killed", kill)
    assert run("killed") == [trials, weights]

"""What the command prints, where it ends well and where it does not."""

from adaptive_nets.cli import app


def run(capsys, *arguments):
    status = app.main(arguments)
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return out


def fails(capsys, *arguments):
    assert app.main(arguments) in (1, 2)
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    return err

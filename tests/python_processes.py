"""Python processes for tests, forked from one that has imported TensorFlow and nothing else.

To import TensorFlow takes five seconds, to fork a process that has done so a few milliseconds. The
process forked from has run no operation, so TensorFlow has neither devices nor threads there yet,
and a child sets up its own. It has not imported `adaptive_nets`: a child imports it anew, or, with
`package=False`, cannot.

Run as a script, this file is the process forked from.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
CAN_FORK = sys.platform.startswith("linux")
LIMIT = 300
# Of one message, which holds a program and an environment.
LONGEST = 1 << 20


class Forked:
    """A process that a `Forkserver` has started: as much of `subprocess.Popen` as tests need.

    Attributes:
        args: What it was started with.
        pid: Its process id.
        returncode: None while it runs; negative where a signal ended it.
        stdout: What it prints, to be read while it runs, if it was started with a pipe.
    """

    def __init__(self, server, args, pid, files, stdout=None):
        self.args, self.pid, self.stdout, self.returncode = args, pid, stdout, None
        self._server, self._files = server, files

    def poll(self):
        if self.returncode is None:
            self.returncode = self._server.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout=LIMIT):
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.01)
        return self.returncode

    def communicate(self, timeout=LIMIT):
        """Waits for the end; gives what it printed, and what went to its error output."""
        self.wait(timeout)
        texts = [] if self.stdout is None else [self.stdout.read()]
        for file in self._files:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return tuple(texts)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Forkserver:
    """Starts Python processes out of one that has imported TensorFlow, and begins when needed."""

    def __init__(self):
        self._process = self._socket = None

    def start(self, *args, cwd=None, env=None, package=True, stdout=None):
        """Starts `python ARGS`: `-c CODE ...`, `-m MODULE ...` or `SCRIPT ...`.

        Args:
            *args: As for `python`; paths and numbers are made strings.
            cwd: Its working directory. Default: that of the tests.
            env: Its whole environment. Default: that of the tests.
            package: Whether it can import `adaptive_nets`.
            stdout: `subprocess.PIPE`: what it prints can be read while it runs.

        Returns:
            A `Forked`, or a `subprocess.Popen` where the system or the backend cannot fork.
        """
        args = [str(arg) for arg in args]
        env = dict(os.environ if env is None else env)
        # In a script of another folder too the package is the one beside these tests.
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPO), env.get("PYTHONPATH")]))
        if not CAN_FORK or env.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
            return _start_anew(args, cwd, env, package, stdout)
        piped = stdout == subprocess.PIPE
        files = [tempfile.TemporaryFile() for _ in range(1 if piped else 2)]  # noqa: SIM115
        read, write = os.pipe() if piped else (None, os.dup(files[0].fileno()))
        request = {"args": args, "env": env, "cwd": str(cwd or os.getcwd()), "package": package}
        try:
            pid = self.ask(request, [write, files[-1].fileno()])
        finally:
            os.close(write)
        return Forked(self, args, pid, files, os.fdopen(read) if piped else None)

    def run(self, *args, check=True, timeout=LIMIT, **settings):
        """Runs `python ARGS` to its end; with `check`, a failure shows what it wrote."""
        process = self.start(*args, **settings)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        if check and process.returncode != 0:
            raise AssertionError(f"The process ended with {process.returncode}:\n{err[-3000:]}")
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def ask(self, request, files=()):
        """Sends a request, with files that are open here; gives the answer."""
        if self._process is None:
            self._begin()
        socket.send_fds(self._socket, [json.dumps(request).encode()], files)
        answer = self._socket.recv(LONGEST)
        if not answer:
            raise RuntimeError("The process that others are forked from is gone.")
        return json.loads(answer)

    def close(self):
        """Ends the process forked from; those it has started go on."""
        if self._process is not None:
            self._socket.close()
            self._process.wait()
            self._process = None

    def _begin(self):
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # No library is to start threads before there are children.
        quiet = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        command = [sys.executable, __file__, str(other.fileno())]
        self._process = subprocess.Popen(
            command,
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **quiet},
        )
        other.close()


def _start_anew(args, cwd, env, package, stdout):
    if not package and args[0] == "-c":
        args[1] = f"import sys; sys.modules['adaptive_nets'] = None\n{args[1]}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *args], cwd=cwd, env=env, **pipes)


# The process forked from -------------------------------------------------------------------------


def _import_what_takes_long():
    import gc

    import keras  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import tensorflow  # noqa: F401
    from tensorflow.python.eager import context

    if "adaptive_nets" in sys.modules or context.context()._context_handle is not None:
        raise RuntimeError("More has been imported, or has run, than children may begin with.")
    gc.collect()
    gc.freeze()


def _serve(connection):
    """Forks for each request; in a child, returns what it is to run."""
    while True:
        message, files, _, _ = socket.recv_fds(connection, LONGEST, 2)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            connection.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        pid = os.fork()
        if pid == 0:
            connection.close()
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
                os.close(file)
            return request
        for file in files:
            os.close(file)
        connection.send(json.dumps(pid).encode())


def _prepare(request):
    """Makes this child what a new interpreter with these arguments would be."""
    import random

    import numpy as np

    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
    sys.argv = request["args"]
    random.seed()
    np.random.seed()
    if not request["package"]:
        sys.modules["adaptive_nets"] = None


def _run(args):
    """As `python ARGS` does; errors and exits are the interpreter's affair."""
    import runpy
    import types

    if args[0] == "-m":
        sys.argv = args[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    elif args[0] == "-c":
        sys.argv = ["-c", *args[2:]]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(args[1], "<string>", "exec"), main.__dict__)
    else:
        sys.path.insert(0, str(pathlib.Path(args[0]).resolve().parent))
        runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    connection = socket.socket(fileno=int(sys.argv[1]))
    # The folder of this file is not a place that modules come from.
    del sys.path[0]
    _import_what_takes_long()
    request = _serve(connection)
    _prepare(request)
    _run(request["args"])

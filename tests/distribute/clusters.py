"""Processes of a cluster on this machine."""

import json
import os
import pathlib
import socket
import subprocess
import time

SCRIPT = pathlib.Path(__file__).parent / "train.py"
LIMIT = 150


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_cluster(
    python, folder, names, placement="replicated", fatal=None, script=SCRIPT, other=""
):
    """A process for each name, such as "worker 1".

    Names that come twice are of two processes with the same task. `fatal` is a name and the step
    it dies at, `other` what the last one has that others have not.
    """
    cluster = {}
    tasks = list(dict.fromkeys(names))
    for name, port in zip(tasks, free_ports(len(tasks)), strict=True):
        cluster.setdefault(name.split()[0], []).append(f"localhost:{port}")
    processes = []
    for name in names:
        kind, index = name.split()
        task = {"cluster": cluster, "task": {"type": kind, "index": int(index)}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task), "TF_CPP_MIN_LOG_LEVEL": "3"}
        # Without a GPU TensorFlow need not look for one.
        environment["CUDA_VISIBLE_DEVICES"] = "-1"
        # Machines that do much else start them far apart.
        environment["ADAPTIVE_NETS_CLUSTER_SECONDS"] = str(LIMIT - 30)
        environment["OTHER"] = str(other) if name == names[-1] else ""
        steps = [str(fatal[1])] if fatal is not None and fatal[0] == name else []
        processes.append(python.start(script, folder, placement, *steps, env=environment))
    return processes


def ended(processes, seconds=LIMIT):
    """Exit codes and texts; a process that does not end is killed, and its code None."""
    deadline, found = time.monotonic() + seconds, []
    for each in processes:
        try:
            out, text = each.communicate(timeout=max(1, deadline - time.monotonic()))
            found.append((each.returncode, out if each.returncode == 0 else text))
        except subprocess.TimeoutExpired:
            each.kill()
            found.append((None, each.communicate()[1]))
    return found

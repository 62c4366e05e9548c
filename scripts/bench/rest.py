"""Cases of the REST interface."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

from latency import WholePanel
from machine import BenchError, Process, Unavailable, cpus, wait_until

CLIENTS = 16


def http_load(bin_dir, seconds):
    """Clients that read the list and one status by turns, while another secondary is stopped.

    The clients share the machine's CPUs with the controller and the processes, as they do when users have them there.
    """
    worker, _ = cpus()
    load = os.path.join(bin_dir, "examples", "rest_load")
    if not os.access(load, os.X_OK):
        raise Unavailable(f"{load} does not exist")
    with WholePanel(bin_dir) as whole:
        secondaries = [Process(f"spp-nfv {n}", whole.panel.worker_argv("nfv", n, worker, "adaptive")) for n in (1, 2, 3)]
        try:
            for number in (1, 2, 3):
                wait_until(f"nfv {number} to be listed", 30, lambda: whole.rest.listed(number))
            secondaries[2].popen.send_signal(signal.SIGSTOP)
            argv = [load, f"127.0.0.1:{whole.rest.port}", CLIENTS, max(1.0, seconds), "/v1/processes", "/v1/nfvs/1"]
            run = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=60 + seconds)
            if run.returncode != 0:
                raise BenchError(f"rest_load: {run.stderr.strip()}")
            figures = json.loads(run.stdout)
            if figures["failed"]:
                raise BenchError(f"{figures['failed']} of {figures['samples']} answers were not 200")
            figures["request-us"] = 1e6 / figures["rate"]
            figures["stopped-ms"] = 1e3 * stopped_answer(whole.rest.port)
        finally:
            secondaries[2].popen.send_signal(signal.SIGCONT)
            for secondary in secondaries:
                secondary.end()
    return figures


def stopped_answer(port):
    """The stopped process's own status: how long its error takes, in seconds."""
    began = time.perf_counter()
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/nfvs/3", timeout=10)
    except urllib.error.HTTPError as error:
        if error.code == 500:
            return time.perf_counter() - began
        raise BenchError(f"the status of a stopped process is answered by {error.code}") from error
    raise BenchError("a stopped process gave its status")

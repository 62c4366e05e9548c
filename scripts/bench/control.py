"""Cases of the control plane: what goes through the controller."""

import http.client
import json
import time

from latency import WholePanel
from machine import BenchError, Process, cpus, memory_mb, wait_until
from stats import percentile


class Rest:
    """One connection to the controller that is kept open."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def call(self, method, path, body=None):
        """The answer's document, None if it has none; a refusal is an error."""
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in (200, 204):
            raise BenchError(f"{method} {path}: {answer.status} {data.decode(errors='replace')}")
        return json.loads(data) if data else None


def _patch_times(bin_dir, seconds, options):
    """Times of `patch` by REST, in seconds: until the reply, and until a packet of the new way is known."""
    worker, _ = cpus()
    with WholePanel(bin_dir, options) as whole:
        with Process("spp-nfv 1", whole.panel.worker_argv("nfv", 1, worker, "busy")):
            wait_until("nfv 1 to be listed", 30, lambda: whole.rest.listed(1))
            rest = Rest(whole.rest.port)
            for number in range(3):
                rest.call("PUT", "/v1/nfvs/1/ports", {"action": "add", "port": f"nullpmd:{number}"})

            def sent(port):
                ports = rest.call("GET", "/v1/details/1")["detail"]["ports"]
                return next(p["tx-packets"] for p in ports if p["name"] == port)

            def patch(port):
                rest.call("PUT", "/v1/nfvs/1/patches", {"src": "nullpmd:0", "dst": port})

            patch("nullpmd:1")
            replies, known = [], []
            end = time.monotonic() + max(1.0, seconds)
            while time.monotonic() < end or len(known) < 100:
                to = f"nullpmd:{1 + (len(known) + 1) % 2}"
                before = sent(to)
                began = time.perf_counter()
                patch(to)
                replies.append(time.perf_counter() - began)
                while sent(to) <= before:
                    if time.perf_counter() - began > 5:
                        raise BenchError(f"no packet went to {to} within 5 s")
                known.append(time.perf_counter() - began)
                time.sleep(0.001)
            return replies, known


def rest_patch_latency(bin_dir, seconds):
    """`patch` by REST -> a packet has gone the new way, as a client sees it: an upper bound.

    Once with a controller that keeps no state, which is what counts; then with one that writes each change to its journal
    before it goes out: the difference is the disk's.
    """
    without, with_journal = (_patch_times(bin_dir, seconds / 2, options) for options in (["--stateless"], []))
    return {"p99-ms": 1e3 * percentile(without[1], 99), "p50-ms": 1e3 * percentile(without[1], 50),
            "with-journal-p99-ms": 1e3 * percentile(with_journal[1], 99),
            "with-journal-p50-ms": 1e3 * percentile(with_journal[1], 50),
            "journal-p50-ms": 1e3 * (percentile(with_journal[0], 50) - percentile(without[0], 50)),
            "samples": len(without[1])}


def controller_memory(bin_dir, _):
    """Resident memory of a controller with 16 processes, the primary among them, that was asked for all it knows."""
    worker, _ = cpus()
    with WholePanel(bin_dir) as whole:
        started = []
        try:
            for number in range(1, 16):
                nfv = Process(f"spp-nfv {number}", whole.panel.worker_argv("nfv", number, worker, "adaptive"))
                started.append(nfv)
                wait_until(f"nfv {number} to be listed", 30, lambda n=number: whole.rest.listed(n))
            rest = Rest(whole.rest.port)
            for number in range(1, 16):
                rest.call("PUT", f"/v1/nfvs/{number}/ports", {"action": "add", "port": f"nullpmd:{number}"})
            for _ in range(20):
                rest.call("GET", "/v1/processes")
                rest.call("GET", "/v1/details")
            return {"controller-mb": memory_mb(whole.controller_pid()), "processes": 16}
        finally:
            for process in reversed(started):
                process.end()

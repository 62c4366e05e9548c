"""Cases that take a time, and those that look at what an idle panel costs."""

import http.client
import json
import os
import socket
import time

from guest import Guest
from machine import BenchError, Process, Scratch, cpu_pair, cpus, memory_mb, wait_until
from panel import Panel
from stats import percentile
from testpmd import TestPmd


def patch_latency(bin_dir, seconds):
    """`patch` sent -> a packet has gone the new way, as a controller sees it: an upper bound.

    The packets of the new way are asked for right after the reply; the time until they are known is what counts.
    """
    worker, _ = cpus()
    with Panel(bin_dir) as panel:
        nfv = panel.nfv(1, worker)
        for port in ("nullpmd:0", "nullpmd:1", "nullpmd:2"):
            nfv.control.ask(f"add {port}")
        replies, known = [], []

        def sent(port):
            """Packets that the port has taken, over all patches there ever were."""
            return next(p["tx-packets"] for p in nfv.control.detail()["ports"] if p["name"] == port)

        nfv.control.ask("patch nullpmd:0 nullpmd:1")
        end = time.monotonic() + max(1.0, seconds)
        while time.monotonic() < end or len(known) < 100:
            to = f"nullpmd:{1 + (len(known) + 1) % 2}"
            # Nothing goes there now, so its count stands still until the patch is there.
            before = sent(to)
            began = time.perf_counter()
            nfv.control.ask(f"patch nullpmd:0 {to}")
            replies.append(time.perf_counter() - began)
            while sent(to) <= before:
                if time.perf_counter() - began > 5:
                    raise BenchError(f"no packet went to {to} within 5 s")
            known.append(time.perf_counter() - began)
            time.sleep(0.001)
        return {"p99-ms": 1e3 * percentile(known, 99), "p50-ms": 1e3 * percentile(known, 50),
                "reply-p99-ms": 1e3 * percentile(replies, 99), "samples": len(known)}


class Controller:
    """REST of the controller that a primary started."""

    def __init__(self, port):
        self.port = port

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == 200 else None
        except (OSError, ValueError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def listed(self, number):
        """Whether the process is listed: 0 is the primary."""
        for process in self.get("/v1/processes") or []:
            if process.get("client-id", 0) == number and (number or process["type"] == "primary"):
                return True
        return False


class WholePanel:
    """A primary with the controller that it starts, as users have it; its journal lies in a folder of its own."""

    def __init__(self, bin_dir, options=()):
        self.panel = Panel(bin_dir)
        self.options = list(options)
        self.state = Scratch()

    def __enter__(self):
        holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        ports = [h.getsockname()[1] for h in holders]
        for holder in holders:
            holder.close()
        self.panel.control = ["--ctl", "127.0.0.1", "--ctl-ports", ",".join(map(str, ports)), *self.options]
        folder = self.state.__enter__()
        if "--stateless" not in self.options:
            self.panel.control += ["--state-dir", folder]
        try:
            self.panel.__enter__()
        except BaseException:
            self.state.__exit__()
            raise
        self.rest = Controller(ports[2])
        try:
            wait_until("the primary to be listed", 30, lambda: self.rest.listed(0))
        except BaseException:
            self.__exit__()
            raise
        return self

    def controller_pid(self):
        """The controller: the one process of that name below the primary."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    text = file.read()
                name, fields = text[text.index("(") + 1:text.rindex(")")], text.rsplit(")", 1)[1].split()
            except (OSError, ValueError):
                continue
            if name == "spp-ctl" and int(fields[1]) == self.panel.primary.pid:
                return int(pid)
        raise BenchError("the primary's controller was not found")

    def __exit__(self, *_):
        self.panel.__exit__()
        self.state.__exit__()


def start_latency(bin_dir, seconds):
    """Start of a secondary -> listed by the controller, polled every 2 ms."""
    worker, _ = cpus()
    with WholePanel(bin_dir) as whole:
        times = []
        end = time.monotonic() + max(1.0, seconds)
        while time.monotonic() < end or len(times) < 5:
            began = time.perf_counter()
            with Process("spp-nfv 1", whole.panel.worker_argv("nfv", 1, worker, "adaptive")) as nfv:
                wait_until("nfv 1 to be listed", 30, lambda: whole.rest.listed(1) or not nfv.alive())
                if not nfv.alive():
                    nfv.fail("ended instead of being listed")
                times.append(time.perf_counter() - began)
            wait_until("nfv 1 to be gone", 30, lambda: not whole.rest.listed(1))
        return {"median-ms": 1e3 * percentile(times, 50), "max-ms": 1e3 * max(times), "samples": len(times)}


def memory_spp(bin_dir, _):
    """Resident memory beyond hugepages of a panel that carries packets."""
    worker, _ = cpus()
    with WholePanel(bin_dir) as whole:
        with Process("spp-nfv 1", whole.panel.worker_argv("nfv", 1, worker, "adaptive")) as nfv:
            wait_until("nfv 1 to be listed", 30, lambda: whole.rest.listed(1))
            figures = {
                "primary-mb": whole.panel.primary.memory_mb(),
                "controller-mb": memory_mb(whole.controller_pid()),
                "nfv-mb": nfv.memory_mb(),
            }
        return {"largest-mb": max(figures.values()), **figures}


def memory_testpmd(_, __):
    """The same of a testpmd with two null ports."""
    worker, _ = cpus()
    with TestPmd("null", worker, ["net_null0", "net_null1"]) as testpmd:
        testpmd.command("start")
        return {"largest-mb": testpmd.memory_mb()}


def rest_latency(bin_dir, seconds):
    """A packet after a rest, there and back through a looped vhost port: from the guest's kick until it has it."""
    worker, other = cpus()
    with Panel(bin_dir) as panel:
        nfv = panel.nfv(1, worker, poll="adaptive")
        nfv.control.ask("add vhost:1")
        nfv.control.ask("patch vhost:1 vhost:1")
        allowed = os.sched_getaffinity(0)
        with Guest(panel.socket(1)) as guest:
            try:
                # The worker has its CPU to itself, and so do we.
                os.sched_setaffinity(0, {other})
                wait_until("the first packet to come back", 20, lambda: guest.round_trip(0.5) is not None)
                awake = [guest.round_trip() for _ in range(500)]
                rested = []
                rests = nfv.control.detail()["workers"][0]["rests"]
                end = time.monotonic() + max(1.0, seconds)
                while time.monotonic() < end or len(rested) < 200:
                    time.sleep(0.003)
                    rested.append(guest.round_trip())
                rests = nfv.control.detail()["workers"][0]["rests"] - rests
            finally:
                os.sched_setaffinity(0, allowed)
        lost = rested.count(None)
        if lost or None in awake:
            raise BenchError(f"{lost} of {len(rested)} packets did not come back within 1 s")
        if rests < len(rested) // 2:
            raise BenchError(f"the worker rested {rests} times before {len(rested)} packets: nothing was measured")
        return {"p99-us": 1e6 * percentile(rested, 99), "p50-us": 1e6 * percentile(rested, 50),
                "awake-p50-us": 1e6 * percentile(awake, 50), "samples": len(rested)}


def wake_latency(bin_dir, seconds):
    """The kernel's own wake-up of a thread on the worker's CPU."""
    middle, slow = cpu_pair(bin_dir, "wake", max(1, round(seconds)))
    return {"p99-us": slow, "p50-us": middle}


def idle_cpu(bin_dir, seconds):
    """CPU that a worker without packets takes, in percent of one CPU.

    First with sources that can wake it (a vhost port, a ring that another worker feeds), then also with a ring that
    nobody of ours feeds, which has to be looked at again and again.
    """
    worker, other = cpus()
    seconds = max(2.0, seconds)
    with Panel(bin_dir) as panel:
        nfv, feeder = panel.nfv(1, worker, poll="adaptive"), panel.nfv(2, other, poll="adaptive")
        for process, port in ((nfv, "vhost:1"), (feeder, "vhost:2")):
            process.control.ask(f"add {port}")
        feeder.control.ask("patch vhost:2 ring:1")
        nfv.control.ask("patch vhost:1 ring:0")
        nfv.control.ask("patch ring:1 vhost:1")

        def percent():
            time.sleep(0.5)
            before, began = nfv.cpu_seconds(), time.monotonic()
            time.sleep(seconds)
            return 100 * (nfv.cpu_seconds() - before) / (time.monotonic() - began)

        figures = {"percent": percent()}
        nfv.control.ask("patch ring:2 ring:3")
        figures["percent-with-an-unfed-ring"] = percent()
        return {"larger-percent": max(figures.values()), **figures}

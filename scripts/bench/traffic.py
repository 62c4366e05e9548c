"""Cases that move packets: SPP and testpmd on the same path."""

import json
import os
import subprocess
import time

from machine import BenchError, Process, Scratch, cpus, forget
from panel import Measure, Panel
from testpmd import TestPmd

QUEUE = 1024
# For queues and pipes to fill before figures count.
WARM_UP = 0.3


def opponent(testpmd, seconds, counted="tx"):
    """Figures of a testpmd that forwards for `seconds`; it is at its prompt before and after."""
    cpu = testpmd.cpu_seconds(testpmd.polling)
    began = time.monotonic()
    testpmd.command("start")
    time.sleep(seconds)
    stopped = testpmd.stop()
    took = time.monotonic() - began
    cpu = testpmd.cpu_seconds(testpmd.polling) - cpu
    packets = getattr(stopped, counted)
    return {
        "pps": packets / took,
        "cpu-share": cpu / took,
        "pps-per-cpu": packets / cpu if cpu else 0.0,
        "cycles": stopped.cycles_per_packet,
        "busy": min(1.0, stopped.busy_cycles / stopped.hz / cpu) if stopped.busy_cycles and stopped.hz and cpu else None,
        "drops": stopped.tx_dropped,
    }


def measured(nfv, seconds):
    """Figures of a worker over `seconds`."""
    time.sleep(WARM_UP)
    measure = Measure(nfv)
    time.sleep(seconds)
    return measure.end()


def null_spp(bin_dir, seconds):
    worker, _ = cpus()
    with Panel(bin_dir, ["--vdev=net_null0", "--vdev=net_null1"]) as panel:
        nfv = panel.nfv(1, worker)
        nfv.control.ask("patch phy:0 phy:1")
        nfv.control.ask("patch phy:1 phy:0")
        return measured(nfv, seconds)


def null_testpmd(_, seconds, burst=32):
    worker, _ = cpus()
    with TestPmd("null", worker, ["net_null0", "net_null1"], args=[f"--burst={burst}"]) as testpmd:
        return opponent(testpmd, seconds)


def peer(name, cpu, sockets, size):
    """A testpmd with a virtio_user port on each socket, ready to send its 512 packets round."""
    vdevs = [f"virtio_user{i},path={s},queues=1,queue_size={QUEUE}" for i, s in enumerate(sockets)]
    testpmd = TestPmd(name, cpu, vdevs, args=[f"--txd={QUEUE}", f"--rxd={QUEUE}"])
    testpmd.command(f"set txpkts {size}")
    return testpmd


def vhost_spp(size, idle_rings=0):
    def run(bin_dir, seconds):
        worker, other = cpus()
        primary = [f"--rings={max(16, 2 * idle_rings)}", f"--ring-size={128 if idle_rings else 1024}"]
        with Panel(bin_dir, primary) as panel:
            nfv = panel.nfv(1, worker)
            for port in ("vhost:1", "vhost:2"):
                nfv.control.ask(f"add {port}")
            for ring in range(idle_rings):
                nfv.control.ask(f"patch ring:{ring} ring:{idle_rings + ring}")
            nfv.control.ask("patch vhost:1 vhost:2")
            nfv.control.ask("patch vhost:2 vhost:1")
            with peer("peer", other, [panel.socket(1), panel.socket(2)], size) as client:
                client.command("start tx_first 16")
                figures = measured(nfv, seconds)
                client.stop()
                return figures

    return run


def vhost_testpmd(size):
    def run(_, seconds):
        worker, other = cpus()
        with Scratch() as folder:
            sockets = [f"{folder}/sock{i}" for i in (1, 2)]
            vdevs = [f"net_vhost{i},iface={s}" for i, s in enumerate(sockets)]
            # Else it would throw away at its second start what goes round.
            args = ["--no-flush-rx"]
            with TestPmd("net_vhost", worker, vdevs, args=args) as testpmd, peer("peer", other, sockets, size) as client:
                testpmd.command("start")
                client.command("start tx_first 16")
                time.sleep(WARM_UP)
                testpmd.stop()
                # What is in the guests' queues goes on from there.
                figures = opponent(testpmd, seconds)
                client.stop()
                return figures

    return run


def ring_spp(bin_dir, seconds):
    """nullpmd -> ring:0 in one process, ring:0 -> nullpmd in another, both as fast as they can."""
    worker, other = cpus()
    with Panel(bin_dir) as panel:
        source, sink = panel.nfv(1, other), panel.nfv(2, worker)
        source.control.ask("add nullpmd:0")
        sink.control.ask("add nullpmd:0")
        sink.control.ask("patch ring:0 nullpmd:0")
        source.control.ask("patch nullpmd:0 ring:0")
        return measured(sink, seconds)


def ring_testpmd(_, seconds):
    """The same with two testpmd: txonly into a net_ring whose other end a second process receives from.

    What the sink gets while the source offers more is also a bound from above for its rate without loss.
    """
    worker, other = cpus()
    prefix = f"benchring{os.getpid()}"
    try:
        primary = [f"--file-prefix={prefix}", "--proc-type=primary"]
        # Other lcore ids: the two share the pool and its caches.
        secondary = [f"--file-prefix={prefix}", "--proc-type=secondary"]
        with (
            TestPmd("source", other, ["net_ring0"], "txonly", eal=primary) as source,
            TestPmd("sink", worker, [], "rxonly", eal=secondary, first_lcore=2, memory=None) as sink,
        ):
            source.command("start")
            figures = opponent(sink, seconds, "rx")
            source.stop()
            return figures
    finally:
        forget(prefix)


class Generator(Process):
    """spp-traffic between ring:0 and ring:1 of a panel, on the CPU that is not the worker's."""

    def __init__(self, panel, seconds, rate=None):
        argv = [panel.program("spp-traffic"), "--sec-id", 9, "--file-prefix", panel.prefix, "--lcores", cpus()[1]]
        argv += ["--tx", "ring:0", "--rx", "ring:1", "--size", 64, "--seconds", seconds, "--json", "--patience", 1]
        if rate:
            argv += ["--rate", int(rate)]
        super().__init__("spp-traffic", argv)

    def report(self, limit):
        """What it says at its end; loss is no failure here."""
        try:
            self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            self.fail(f"did not end within {limit} s")
        self.reader.join(5)
        lines = [line for line in self.text.splitlines() if line.startswith("{")]
        if not lines:
            self.fail(f"gave no JSON (status {self.popen.returncode})")
        return json.loads(lines[-1])


def at_rate(panel, nfv, seconds, rate=None):
    """One run at a rate: the worker's figures with the rate that was sent, and whether nothing was lost or refused."""
    with Generator(panel, seconds, rate) as generator:
        generator.wait_text("is running", limit=30)
        measure = Measure(nfv)
        time.sleep(0.8 * seconds)
        figures = measure.end()
        report = generator.report(seconds + 30)
    if report["duplicated"] or report["reordered"] or report["bad"]:
        raise BenchError(f"frames were damaged, doubled or out of order: {report}")
    figures["pps"] = report["sent"] / report["sent_seconds"] if report["sent_seconds"] else 0.0
    return figures, report["lost"] == 0 and report["refused"] == 0 and report["sent"] > 0


def lossless_spp(bin_dir, seconds):
    """The highest rate that ring:0 -> ring:1 carries without loss, by bisection to 2 %."""
    worker, _ = cpus()
    with Panel(bin_dir) as panel:
        panel.program("spp-traffic")
        nfv = panel.nfv(1, worker)
        nfv.control.ask("patch ring:0 ring:1")
        best, whole = at_rate(panel, nfv, seconds)
        if whole:
            # All that the generator can do.
            return best
        low, high, best = 0.0, best["pps"], None
        while high - low > 0.02 * high:
            figures, whole = at_rate(panel, nfv, seconds, (low + high) / 2)
            if whole:
                low, best = (low + high) / 2, figures
            else:
                high = (low + high) / 2
            if high < 1000:
                raise BenchError("frames are lost even at 1000 a second")
        return best

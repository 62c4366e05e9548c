"""Cases that move packets: SPP and testpmd on the same path."""

import os
import time
from contextlib import contextmanager

from machine import BenchError, Process, Scratch, cpus, forget
from panel import Measure, Panel
from session import session, warm_up
from testpmd import TestPmd

QUEUE = 1024
# Packets in the rings of the case without loss: full bursts, and fewer than one ring takes.
IN_RING = 960


def opponent(testpmd, seconds, counted="tx"):
    """Figures of a testpmd that forwards for `seconds`; it is at its prompt before and after."""
    cpu, waited = testpmd.cpu_seconds(testpmd.polling), testpmd.waited_seconds(testpmd.polling)
    began = time.monotonic()
    testpmd.command("start")
    time.sleep(seconds)
    stopped = testpmd.stop()
    took = time.monotonic() - began
    cpu = testpmd.cpu_seconds(testpmd.polling) - cpu
    waited = testpmd.waited_seconds(testpmd.polling) - waited
    packets = getattr(stopped, counted)
    return {
        "pps": packets / took,
        # It had begun to poll a little after we said so, and ended before we knew.
        "cpu-share": cpu / (cpu + waited) if cpu else 0.0,
        "pps-per-cpu": packets / cpu if cpu else 0.0,
        "cycles": stopped.cycles_per_packet,
        "busy": min(1.0, stopped.busy_cycles / stopped.hz / cpu) if stopped.busy_cycles and stopped.hz and cpu else None,
        "drops": stopped.tx_dropped,
    }


def measured(nfv, seconds):
    """Figures of a worker over `seconds`."""
    warm_up()
    measure = Measure(nfv)
    time.sleep(seconds)
    return measure.end()


@contextmanager
def null_spp(bin_dir):
    worker, _ = cpus()
    with Panel(bin_dir, ["--vdev=net_null0", "--vdev=net_null1"]) as panel:
        nfv = panel.nfv(1, worker)
        nfv.control.ask("patch phy:0 phy:1")
        nfv.control.ask("patch phy:1 phy:0")
        with session(panel.processes, lambda seconds: measured(nfv, seconds)) as made:
            yield made


@contextmanager
def null_testpmd(_):
    worker, _ = cpus()
    with TestPmd("null", worker, ["net_null0", "net_null1"]) as testpmd:
        with session([testpmd], lambda seconds: opponent(testpmd, seconds)) as made:
            yield made


@contextmanager
def peer(cpu, sockets, size):
    """A testpmd with a virtio_user port on each socket, which sends its 512 packets round."""
    vdevs = [f"virtio_user{i},path={s},queues=1,queue_size={QUEUE}" for i, s in enumerate(sockets)]
    with TestPmd("peer", cpu, vdevs, args=[f"--txd={QUEUE}", f"--rxd={QUEUE}"]) as client:
        client.command(f"set txpkts {size}")
        client.command("start tx_first 16")
        yield client
        client.stop()


def vhost_spp(size, idle_rings=0):
    @contextmanager
    def opened(bin_dir):
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
            with peer(other, [panel.socket(1), panel.socket(2)], size) as client:
                with session([*panel.processes, client], lambda seconds: measured(nfv, seconds)) as made:
                    yield made

    return opened


def vhost_testpmd(size):
    @contextmanager
    def opened(_):
        worker, other = cpus()
        with Scratch() as folder:
            sockets = [f"{folder}/sock{i}" for i in (1, 2)]
            vdevs = [f"net_vhost{i},iface={s}" for i, s in enumerate(sockets)]
            # Else it would throw away at each start what goes round.
            args = ["--no-flush-rx"]
            with TestPmd("net_vhost", worker, vdevs, args=args) as testpmd, peer(other, sockets, size) as client:

                def measure(seconds):
                    # As SPP's side does, so that both begin with the same.
                    testpmd.command("start")
                    warm_up()
                    testpmd.stop()
                    return opponent(testpmd, seconds)

                with session([testpmd, client], measure) as made:
                    yield made

    return opened


@contextmanager
def ring_spp(bin_dir):
    """nullpmd -> ring:0 in one process, ring:0 -> nullpmd in another, both as fast as they can."""
    worker, other = cpus()
    with Panel(bin_dir) as panel:
        source, sink = panel.nfv(1, other), panel.nfv(2, worker)
        source.control.ask("add nullpmd:0")
        sink.control.ask("add nullpmd:0")
        sink.control.ask("patch ring:0 nullpmd:0")
        source.control.ask("patch nullpmd:0 ring:0")
        with session(panel.processes, lambda seconds: measured(sink, seconds)) as made:
            yield made


@contextmanager
def ring_testpmd(_):
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
            with session([source, sink], lambda seconds: opponent(sink, seconds, "rx")) as made:
                yield made
            source.stop()
    finally:
        forget(prefix)


@contextmanager
def lossless_spp(bin_dir):
    """ring:0 -> ring:1 in one process, ring:1 -> ring:0 in another: as many packets as a ring holds go round.

    Neither ring can overflow, so this is the highest rate without loss; a drop would be an error.
    """
    worker, other = cpus()
    with Panel(bin_dir) as panel:
        argv = [panel.program("spp-traffic"), "--sec-id", 9, "--file-prefix", panel.prefix, "--tx", "ring:0"]
        argv += ["--count", IN_RING, "--allow-loss", "--patience", 1, "--lcores", other]
        with Process("spp-traffic", argv) as filler:
            filler.popen.wait(30)
        there, back = panel.nfv(1, worker), panel.nfv(2, other)
        there.control.ask("patch ring:0 ring:1")
        back.control.ask("patch ring:1 ring:0")

        def measure(seconds):
            figures = measured(there, seconds)
            if figures["drops"]:
                raise BenchError(f"{figures['drops']} packets were dropped")
            return figures

        with session(panel.processes, measure) as made:
            yield made

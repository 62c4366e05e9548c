"""The cases: what is measured, against what, and what is expected."""

from dataclasses import dataclass
from typing import Callable, Optional

import capture
import components
import contained
import control
import impaired
import latency
import lossless
import rest
import traffic
from session import alone


@dataclass
class Side:
    """One of those compared: `open(bin_dir)` is a context that gives its `Session`."""

    name: str
    open: Callable


@dataclass
class Case:
    name: str
    title: str
    # The figure that is compared, and its unit for the table.
    figure: str
    unit: str
    ours: Callable
    against: Optional[Side] = None
    # The least ratio of ours to the other's, or, with `most`, the most of the figure itself.
    least: Optional[float] = None
    most: Optional[float] = None
    # Slices of each side, their length in seconds, and how many must be undisturbed.
    rounds: int = 40
    seconds: float = 0.5
    enough: int = 10
    # Whether a worker that waits for packets makes the figure one of the generator.
    generated: bool = False


CPU = ("pps-per-cpu", "Mpackets per CPU-second")
NULL = Side("testpmd io", traffic.null_testpmd)
# Those that take their own time.
ONCE = {"rounds": 3, "seconds": 5.0, "enough": 1}

CASES = [
    Case("null", "net_null -> net_null (phy ports), one worker", *CPU, traffic.null_spp,
         NULL, least=1.05),
    Case("ring", "source -> ring -> sink, two processes, 64 B, as fast as they can: delivered", "pps",
         "Mpps delivered", traffic.ring_spp, Side("two testpmd on net_ring", traffic.ring_testpmd), least=1.0),
    Case("ring-lossless", "two rings between two processes, 64 B, nothing lost: each way", "pps", "Mpps",
         traffic.lossless_spp, Side("two testpmd on one net_ring, with loss", traffic.ring_testpmd), least=1.0),
    Case("ring-90", "generator -> ring -> nfv -> ring -> checker at 90 % of the highest rate: runs of 20 with loss or refusal",
         "bad-runs", "runs", alone(lossless.ring_90), most=0.0, rounds=1, seconds=0.5, enough=1),
    Case("vhost-64", "vhost <-> vhost, 64 B, one worker", *CPU, traffic.vhost_spp(64),
         Side("testpmd io on net_vhost", traffic.vhost_testpmd(64)), least=1.10, generated=True),
    Case("vhost-1518", "vhost <-> vhost, 1518 B, one worker", *CPU, traffic.vhost_spp(1518),
         Side("testpmd io on net_vhost", traffic.vhost_testpmd(1518)), least=1.10, generated=True),
    Case("vhost-idle-rings", "vhost <-> vhost, 64 B, beside 64 idle ring patches", *CPU,
         traffic.vhost_spp(64, idle_rings=64), Side("the same with none", traffic.vhost_spp(64)), least=0.90,
         generated=True),
    Case("container-vhost-64", "vhost <-> vhost, 64 B, one worker, its process in a container", *CPU,
         contained.vhost(True), Side("the same process on the host", contained.vhost(False)), least=0.97,
         generated=True),
    Case("container-guest-64", "vhost <-> vhost, 64 B, their guest (testpmd) in a container", "pps", "Mpps",
         contained.guests(True), Side("the same guest on the host", contained.guests(False)), least=0.97),
    *(Case(f"classifier-{entries}", f"classifier with {entries} entries, hit uniformly at random, 64 B", *CPU,
           components.classifier(entries), NULL, least=least, generated=True)
      for entries, least in ((1, 0.50), (128, 0.45), (65536, 0.25))),
    Case("merge", "two net_null merged into one", *CPU, components.merge, NULL, least=0.90),
    Case("mirror", "net_null mirrored to two (shallow): packets in", *CPU, components.mirror, NULL, least=0.60),
    Case("mirror-shown", "the same with a copy's port that copies itself (nullpmd, as vhost and memif do)", *CPU,
         components.mirror_shown, NULL, least=0.60),
    Case("vlan", "net_null -> net_null, a VLAN tag put in at rx and taken out at tx", *CPU, components.vlan, NULL,
         least=0.60),
    Case("patch", "`patch` sent -> a packet went the new way (upper bound), 99th percentile", "p99-ms", "ms",
         alone(latency.patch_latency), most=1.0, **ONCE),
    Case("start", "secondary started -> listed by the controller", "median-ms", "ms", alone(latency.start_latency),
         most=150.0, **ONCE),
    Case("memory", "resident memory beyond hugepages: the largest of primary, controller, nfv", "largest-mb", "MB",
         alone(latency.memory_spp), Side("testpmd", alone(latency.memory_testpmd)), most=40.0, **ONCE),
    Case("rest", "first packet after a rest, there and back, 99th percentile", "p99-us", "us",
         alone(latency.rest_latency), Side("a bare eventfd of the kernel, one way", alone(latency.wake_latency)),
         most=200.0, **ONCE),
    Case("idle", "CPU that an idle nfv takes", "larger-percent", "% of a CPU", alone(latency.idle_cpu), most=5.0,
         **ONCE),
    Case("http", "16 clients, /v1/processes and /v1/nfvs/1 by turns, another nfv stopped: time / requests", "request-us",
         "µs a request", alone(rest.http_load), most=100.0, **ONCE),
    Case("http-p99", "the same: from request to answer, 99th percentile", "p99-ms", "ms", alone(rest.http_load), most=10.0,
         **ONCE),
    Case("rest-patch", "`patch` by REST -> a packet went the new way (upper bound), 99th percentile", "p99-ms", "ms",
         alone(control.rest_patch_latency), most=2.0, **ONCE),
    Case("capture", "capture of 64 B at 2 Mpps into a RAM disk, uncompressed, one receiver and one writer: lost", "lost",
         "packets", alone(capture.paced), most=0.0, **ONCE),
    Case("capture-most", "the same from an endless source, with loss: time / packets in files", "written-ns",
         "ns a packet", alone(capture.endless), most=500.0, **ONCE),
    Case("delay", "patch with delay 100 us to 100 ms: median and 90th percentile off, by what they may be (50 us or 1 %)",
         "off-share", "of what it may be", alone(impaired.delay), most=1.0, **ONCE),
    Case("rate", "patch with rate 1 Mbit/s to 1 Gbit/s: off", "off-percent", "%", alone(impaired.rate), most=1.0, **ONCE),
    Case("controller-memory", "resident memory of a controller with 16 processes", "controller-mb", "MB",
         alone(control.controller_memory), most=30.0, **ONCE),
]

"""The cases: what is measured, against what, and what is expected."""

from dataclasses import dataclass
from typing import Callable, Optional

import latency
import traffic


@dataclass
class Side:
    """One of those compared: `run(bin_dir, seconds)` gives figures."""

    name: str
    run: Callable


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
    # Largest spread, as a share of the median, that still counts as quiet.
    quiet: float = 0.10
    # Whether a worker that waits for packets makes the figure one of the generator.
    generated: bool = False


CPU = ("pps-per-cpu", "Mpackets per CPU-second")

CASES = [
    Case("null", "net_null -> net_null (phy ports), one worker", *CPU, traffic.null_spp,
         Side("testpmd io", traffic.null_testpmd), least=1.05),
    Case("ring", "source -> ring -> sink, two processes, 64 B, as fast as they can: delivered", "pps",
         "Mpps delivered", traffic.ring_spp, Side("two testpmd on net_ring", traffic.ring_testpmd), least=1.0,
         quiet=0.2),
    Case("ring-lossless", "generator -> ring -> ring -> sink, 64 B: highest rate without loss", "pps", "Mpps",
         traffic.lossless_spp, Side("two testpmd on net_ring, one ring, with loss", traffic.ring_testpmd), least=1.0,
         quiet=0.2, generated=True),
    Case("vhost-64", "vhost <-> vhost, 64 B, one worker", *CPU, traffic.vhost_spp(64),
         Side("testpmd io on net_vhost", traffic.vhost_testpmd(64)), least=1.10, generated=True),
    Case("vhost-1518", "vhost <-> vhost, 1518 B, one worker", *CPU, traffic.vhost_spp(1518),
         Side("testpmd io on net_vhost", traffic.vhost_testpmd(1518)), least=1.10, generated=True),
    Case("vhost-idle-rings", "vhost <-> vhost, 64 B, beside 64 idle ring patches", *CPU,
         traffic.vhost_spp(64, idle_rings=64), Side("the same with none", traffic.vhost_spp(64)), least=0.90,
         generated=True),
    Case("patch", "`patch` sent -> a packet went the new way (upper bound), 99th percentile", "p99-ms", "ms",
         latency.patch_latency, most=1.0, quiet=1.0),
    Case("start", "secondary started -> listed by the controller", "median-ms", "ms", latency.start_latency,
         most=150.0, quiet=0.5),
    Case("memory", "resident memory beyond hugepages: the largest of primary, controller, nfv", "largest-mb", "MB",
         latency.memory_spp, Side("testpmd", latency.memory_testpmd), most=40.0),
    Case("rest", "first packet after a rest, there and back, 99th percentile", "p99-us", "us", latency.rest_latency,
         most=200.0, quiet=0.5),
    Case("idle", "CPU that an idle nfv takes", "larger-percent", "% of a CPU", latency.idle_cpu, most=5.0, quiet=1.0),
]

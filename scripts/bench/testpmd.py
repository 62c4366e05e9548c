"""DPDK's testpmd: the opponent, and the traffic's other end."""

import itertools
import os
import re

from machine import Process, forget, huge_dir

PROMPT = "testpmd> "
_count = itertools.count()


class TestPmd(Process):
    """A testpmd at its prompt. The main lcore waits there, one other lcore polls on `cpu`."""

    def __init__(self, name, cpu, vdevs, mode="io", args=(), eal=None, first_lcore=0, memory=192):
        # In memory: its hugepages go with it. Single segments: vhost takes few memory regions.
        lcores = f"{first_lcore}@{cpu},{first_lcore + 1}@{cpu}"
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", lcores, "--no-pci", "--iova-mode=va"]
        argv += ["--no-telemetry", "--huge-dir", huge_dir()]
        if memory:
            argv += ["-m", memory]
        self.prefix = None
        if eal is None:
            self.prefix = f"benchpmd{os.getpid()}n{next(_count)}"
            eal = ["--in-memory", "--single-file-segments", f"--file-prefix={self.prefix}"]
        argv += eal
        for vdev in vdevs:
            argv.append(f"--vdev={vdev}")
        argv += ["--", "--interactive", "--no-mlockall", "--record-core-cycles", f"--forward-mode={mode}"]
        argv += ["--total-num-mbufs=16384", *args]
        super().__init__(f"testpmd {name}", argv)
        self.wait_text(PROMPT, limit=60)
        self.polling = self.thread("worker")

    def command(self, line):
        """Types a command and gives what it printed."""
        start = len(self.text)
        self.send(line)
        return self.wait_text(PROMPT, start)

    def end(self):
        super().end()
        # EAL leaves its runtime folder, in memory or not.
        if self.prefix:
            forget(self.prefix)

    def stop(self):
        """Stops forwarding; gives what testpmd says: see `Stopped`."""
        return Stopped(self.command("stop"))


class Stopped:
    """What testpmd prints at `stop`."""

    def __init__(self, text):
        total = text.rsplit("Accumulated forward statistics", 1)[-1]

        def number(name):
            found = re.search(name + r":\s*(\d+)", total)
            return int(found.group(1)) if found else 0

        self.rx, self.tx = number("RX-packets"), number("TX-packets")
        self.tx_dropped = number("TX-dropped")
        cycles = re.search(r"CPU cycles/packet=([\d.]+)\s*\(busy cycles=(\d+)", text)
        cycles = cycles or re.search(r"CPU cycles/packet=([\d.]+)\s*\(total cycles=(\d+)", text)
        self.cycles_per_packet = float(cycles.group(1)) if cycles else None
        self.busy_cycles = int(cycles.group(2)) if cycles else None
        mhz = re.search(r"at ([\d.]+) MHz", text)
        self.hz = float(mhz.group(1)) * 1e6 if mhz else None

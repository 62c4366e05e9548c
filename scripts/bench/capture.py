"""Cases of captures: into a RAM disk, without compression."""

import json
import shutil
import tempfile
import time

from machine import BenchError, Process, cpus
from panel import Connection, Panel
from session import warm_up

# What the capture has to keep up with.
RATE = 2_000_000
# Both generator and writer run on the second CPU: this bridges their turns.
BUFFER_MB = 64
RAM_DISK = "/dev/shm"


def _pcap(panel, folder, port):
    receiver, writer = cpus()
    argv = [panel.program("spp-pcap"), "--sec-id", 1, "--file-prefix", panel.prefix, "-c", port]
    argv += ["--lcores", f"1@{receiver},2@{writer}", "--poll", "busy", "--ctl", panel.address, "--compress", "none"]
    argv += ["--out-dir", folder, "--fsize", 100_000_000, "--files", 4, "--buffer", BUFFER_MB]
    process = panel._start("spp-pcap 1", argv)
    sock, _ = panel.listener.accept()
    process.control = Connection(sock)
    return process


def _counts(process):
    return process.control.detail()["capture"]


def _settled(process):
    """The counts when nothing is on its way any more."""
    for _ in range(1000):
        counts = _counts(process)
        if counts["waiting"] == 0:
            return counts
        time.sleep(0.01)
    raise BenchError("the writer does not keep up at all")


def paced(bin_dir, seconds):
    """64 B frames at a rate through a ring: how many were lost in the capture."""
    _, other = cpus()
    folder = tempfile.mkdtemp(prefix="spp-bench-", dir=RAM_DISK)
    try:
        # The ring has room for what comes while the receiver has lost its CPU.
        with Panel(bin_dir, ["--rings", 2, "--ring-size", 65536], memory=1400) as panel:
            pcap = _pcap(panel, folder, "ring:0")
            argv = [panel.program("spp-traffic"), "--sec-id", 2, "--file-prefix", panel.prefix, "--json", "--tx", "ring:0"]
            argv += ["--size", 64, "--flows", 1, "--rate", RATE, "--seconds", seconds, "--lcores", other]
            traffic = Process("spp-traffic", argv)
            try:
                traffic.wait_text("}\n", limit=seconds + 30)
                told = json.loads(next(line for line in traffic.text.splitlines() if line.startswith("{")))
            finally:
                traffic.end()
            counts = _settled(pcap)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "lost": counts["lost-full"] + counts["lost-error"],
        "written-mpps": counts["written"] / told["sent_seconds"] / 1e6,
        "refused": told["refused"],
    }


def endless(bin_dir, seconds):
    """64 B packets from an endless source: what receiver and writer manage at most, with loss."""
    folder = tempfile.mkdtemp(prefix="spp-bench-", dir=RAM_DISK)
    try:
        with Panel(bin_dir) as panel:
            pcap = _pcap(panel, folder, "nullpmd:0")
            warm_up(0.5)
            before, began = _counts(pcap), time.monotonic()
            time.sleep(seconds)
            after, took = _counts(pcap), time.monotonic() - began
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    received, written = (after[k] - before[k] for k in ("received", "written"))
    return {
        "written-ns": took * 1e9 / max(written, 1),
        "written-mpps": written / took / 1e6,
        "received-mpps": received / took / 1e6,
    }

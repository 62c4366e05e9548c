"""Cases of components: what classifying, merging, mirroring and tagging cost, against testpmd on null ports."""

import os
import random
import struct
import time
from contextlib import contextmanager

from machine import BenchError, cpus
from panel import Panel
from session import session
from traffic import measured

# Frames that go round in front of a classifier: as many as a ring of 65536 takes.
FRAMES = 60_000
FRAME = 64
# VLANs over which a large table is spread.
VLANS = 16


def address(number):
    return struct.pack("!HI", 0x0200, number)


def text(mac):
    return ":".join(f"{byte:02x}" for byte in mac)


def entry(number, entries):
    """VLAN id (or none) and address of entry `number` of a table of so many."""
    vlan = 100 + number % VLANS if entries > VLANS else None
    return vlan, address(number)


def frames(entries):
    """Frames that hit the entries uniformly at random, the same ones each time."""
    chance = random.Random(entries)
    for _ in range(FRAMES):
        vlan, mac = entry(chance.randrange(entries), entries)
        tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
        yield (mac + address(0xFFFF) + tag + b"\x08\x00").ljust(FRAME, b"\0")


def write_pcap(path, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for packet in packets:
            out.write(struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet)


def wait_for(what, condition, limit=60):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"waited {limit} s in vain for {what}")
        time.sleep(0.05)


def received(process, port):
    found = [p for p in process.control.detail()["ports"] if p["name"] == port]
    return found[0]["rx-packets"] if found else 0


def classifier(entries):
    """ring:0 -> classifier -> ring:1 or ring:2, and back to ring:0 by another process, so that frames go round."""

    @contextmanager
    def opened(bin_dir):
        worker, other = cpus()
        primary = ["--rings=4", "--ring-size=65536"]
        with Panel(bin_dir, primary, memory=1024) as panel:
            vf = panel.worker("vf", 2, worker)
            vf.control.ask(f"component start cls {worker} classifier")
            for port in ("ring:1", "ring:2"):
                vf.control.ask(f"port add {port} tx cls")
            for number in range(entries):
                vlan, mac = entry(number, entries)
                table = "mac" if vlan is None else f"vlan {vlan}"
                vf.control.ask(f"classifier_table add {table} {text(mac)} ring:{1 + number % 2}")
            write_pcap(os.path.join(panel.dir, "spp-rx1.pcap"), frames(entries))
            back = panel.nfv(1, other, extra=["--pcap-dir", panel.dir])
            back.control.ask("add pcap:1")
            back.control.ask("patch pcap:1 ring:0")
            wait_for("all frames to be read", lambda: received(back, "pcap:1") == FRAMES)
            back.control.ask("del pcap:1")
            # Only now: what has no entry yet would be dropped.
            vf.control.ask("port add ring:0 rx cls")
            for ring in ("ring:1", "ring:2"):
                back.control.ask(f"patch {ring} ring:0")
            with session(panel.processes, lambda seconds: measured(vf, seconds)) as made:
                yield made

    return opened


def on_null(kind, component, ports, extra=()):
    """One component between net_null ports."""

    @contextmanager
    def opened(bin_dir):
        worker, _ = cpus()
        with Panel(bin_dir, [f"--vdev=net_null{n}" for n in range(3)]) as panel:
            process = panel.worker(kind, 1, worker)
            process.control.ask(f"component start c {worker} {component}")
            for port in ports:
                process.control.ask(f"port add {port}")
            for command in extra:
                process.control.ask(command)
            with session(panel.processes, lambda seconds: measured(process, seconds)) as made:
                yield made

    return opened


merge = on_null("vf", "merge", ["phy:0 rx c", "phy:1 rx c", "phy:2 tx c"])
mirror = on_null("mirror", "mirror", ["phy:0 rx c", "phy:1 tx c", "phy:2 tx c"])
mirror_shown = on_null("mirror", "mirror", ["phy:0 rx c", "phy:1 tx c", "nullpmd:1 tx c"])
vlan = on_null("vf", "forward", ["phy:0 rx c add_vlantag 100 3", "phy:1 tx c del_vlantag"])

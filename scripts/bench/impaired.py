"""Patches that hold packets back: how exact they are."""

import itertools

from machine import cpus, nice
from panel import Panel, generate

# Microseconds, and what a departure may be off: 50 us, or a hundredth.
DELAYS = (100, 1000, 5000, 20000, 100000)
MOST_US, MOST_SHARE = 50.0, 0.01
RATES = (1e6, 100e6, 1e9)
# Frames of the runs with a rate, in bytes, and seconds that they take.
FRAME, RATE_SECONDS = 1000, 1.0


def panel_with(bin_dir, run):
    worker, other = cpus()
    with Panel(bin_dir, ["--rings", "2", "--ring-size", "8192"], memory=512) as panel:
        nfv = panel.nfv(1, worker)
        nfv.control.ask("patch ring:0 ring:1")
        nice(nfv)
        ids = itertools.cycle(range(100, 120))
        return run(nfv, lambda words: generate(panel, next(ids), other, words))


def delay(bin_dir, seconds):
    """How far off departures are, in shares of what they may be: median and 90th percentile, the worst of all delays.

    What the way takes without a delay is taken off.
    """
    words = ["--rate", 2000, "--seconds", max(1.0, seconds), "--poll", "busy"]

    def run(nfv, traffic):
        bare = traffic(words)["age"]
        figures, worst = {}, 0.0
        for us in DELAYS:
            nfv.control.ask(f"patch ring:0 ring:1 with delay {us}us")
            age = traffic(words)["age"]
            for name in ("p50", "p90"):
                off = (age[f"{name}_ns"] - bare[f"{name}_ns"]) / 1e3 - us
                figures[f"{us}us-{name}-off-us"] = off
                worst = max(worst, abs(off) / max(MOST_US, us * MOST_SHARE))
        return {"off-share": worst, **figures}

    return panel_with(bin_dir, run)


def rate(bin_dir, _):
    """How far off the rate is, in percent: the worst of all rates."""

    def run(nfv, traffic):
        figures = {}
        for bits in RATES:
            packets = bits * RATE_SECONDS / FRAME / 8
            # Held back by the link, and never more than it may hold.
            nfv.control.ask(f"patch ring:0 ring:1 with rate {bits / 1e6:.0f}Mbit/s limit 16000")
            sent = ["--size", FRAME, "--count", round(packets), "--rate", round(packets / RATE_SECONDS * 1.05)]
            seen = traffic([*sent, "--patience", 10])
            got = (seen["received"] - 1) * FRAME * 8 / seen["received_seconds"]
            figures[f"{bits / 1e6:.0f}mbit-percent"] = 100 * (got / bits - 1)
        return {"off-percent": max(abs(value) for value in figures.values()), **figures}

    return panel_with(bin_dir, run)

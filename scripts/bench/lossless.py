"""The highest rate without loss: through two rings and a worker, at 90 % of what the slower side takes."""

import itertools

from machine import BenchError, cpus, nice
from panel import Panel, generate

# Runs that find the highest rate and their length, then runs below it.
FIRST, FIRST_SECONDS = 3, 1.0
RUNS = 20
SHARE = 0.9
# Room for what arrives while the worker has lost its CPU, in packets, and memory for it, in megabytes.
RING, MEMORY = 65536, 1400


def ring_90(bin_dir, seconds):
    """Runs with loss or refusals among those at 90 % of the most that was received without a limit."""
    worker, other = cpus()
    with Panel(bin_dir, ["--rings", "2", "--ring-size", str(RING)], memory=MEMORY) as panel:
        nfv = panel.nfv(1, worker)
        nfv.control.ask("patch ring:0 ring:1")
        nice(nfv)
        ids = itertools.cycle(range(100, 120))

        def run(length, rate=None):
            words = ["--seconds", length, "--allow-loss"] + (["--rate", round(rate)] if rate else [])
            return generate(panel, next(ids), other, words)

        most = max(run(FIRST_SECONDS)["received"] for _ in range(FIRST)) / FIRST_SECONDS
        if not most:
            raise BenchError("nothing arrived")
        runs = [run(seconds, SHARE * most) for _ in range(RUNS)]
        bad = [r for r in runs if r["lost"] or r["refused"] or r["received"] != r["sent"]]
        sent = [r["sent"] / seconds / 1e6 for r in runs]
        return {"bad-runs": len(bad), "runs": RUNS, "lost": sum(r["lost"] for r in runs),
                "refused": sum(r["refused"] for r in runs), "most-mpps": most / 1e6, "asked-mpps": SHARE * most / 1e6,
                "least-sent-mpps": min(sent), "most-sent-mpps": max(sent)}

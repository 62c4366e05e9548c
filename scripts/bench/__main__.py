"""Measures SPP and its opponents in slices that take turns. Called by scripts/bench.sh."""

import argparse
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass

from cases import CASES
from machine import BenchError, CpuTime, Unavailable, cpu_pair, others_share
from stats import medians, sure

# What a slice may lose to others and still count: share of the CPUs that the hypervisor took, and share of the time that
# the worker had its CPU.
MOST_STEAL = 0.03
LEAST_CPU = 0.95
# Share of the CPUs that others may use on a quiet machine.
MOST_OTHERS = 0.05
# Below this a worker has time to spare: the generator is the bound.
LEAST_BUSY = 0.90
# Rounds with CPUs as far apart as that, in all their looks, are of one kind.
SAME_DISTANCE = 1.5


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__)
    parser.add_argument("--case", action="append", metavar="NAME", choices=[c.name for c in CASES],
                        help="only this case (may be repeated): " + ", ".join(c.name for c in CASES))
    parser.add_argument("--rounds", type=int, metavar="N", help="slices of each side (default: the case's own)")
    parser.add_argument("--seconds", type=float, metavar="N", help="length of a slice (default: the case's own)")
    parser.add_argument("--against", metavar="REV", help="build this revision too, and compare with it instead")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--bin-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--against-bin-dir", help=argparse.SUPPRESS)
    parser.add_argument("--revision", default="unknown", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if (args.rounds or 1) < 1 or (args.seconds or 1) <= 0:
        parser.error("--rounds and --seconds must be above 0")
    if args.json:
        # Said now, not after all has been measured.
        try:
            open(args.json, "a").close()
        except OSError as e:
            parser.error(f"--json {args.json}: {e.strerror}")
    return args


@dataclass
class Slice:
    """A turn of one side: its figures, the hypervisor's share of the CPUs, and how far apart the CPUs were (ns)."""

    figures: dict
    steal: float
    before: float
    after: float

    def undisturbed(self):
        return self.steal <= MOST_STEAL and self.figures.get("cpu-share", 1.0) >= LEAST_CPU


def distance(args):
    """Nanoseconds from one of our CPUs to the other and back."""
    return cpu_pair(args.bin_dir, "distance")[0]


def take(side, seconds, args):
    before = distance(args)
    cpu_time = CpuTime()
    figures = side.slice(seconds)
    steal = cpu_time.shares()[0]
    after = distance(args)
    print(".", end="", file=sys.stderr, flush=True)
    return Slice(figures, steal, before, after)


def alike(*distances):
    return max(distances) <= SAME_DISTANCE * min(distances)


def sides(case, args):
    """Names, programs and openers of what is compared: ours first."""
    found = [("spp", args.bin_dir, case.ours)]
    if args.against:
        found.append((f"spp at {args.against}", args.against_bin_dir, case.ours))
    elif case.against:
        found.append((case.against.name, args.bin_dir, case.against.open))
    return found


def measure(case, args):
    """Slices of all sides in turn, each round in the other order than the one before.

    All sides are set up before and frozen while it is not their turn.
    """
    rounds, seconds = args.rounds or case.rounds, args.seconds or case.seconds
    with ExitStack() as stack:
        opened = [stack.enter_context(opener(bin_dir)) for _, bin_dir, opener in sides(case, args)]
        table = []
        for number in range(rounds):
            row = [None] * len(opened)
            for i in range(len(opened)) if number % 2 == 0 else reversed(range(len(opened))):
                row[i] = take(opened[i], seconds, args)
            table.append(row)
        print(file=sys.stderr)
        return table


def whole(case, row):
    """Whether nothing disturbed any side in this round, and the CPUs stayed where they were, if sides are compared."""
    distances = [d for s in row for d in (s.before, s.after)]
    return all(s.undisturbed() for s in row) and (case.least is None or alike(*distances))


def ratio(row, figure, inverse):
    ours, others = row[0].figures.get(figure), row[1].figures.get(figure)
    if not ours or not others:
        return None
    return others / ours if inverse else ours / others


def ratios(rows, figure, inverse=False):
    found = [ratio(row, figure, inverse) for row in rows]
    return [r for r in found if r is not None]


def by_distance(rows):
    """Rounds in groups: CPUs near each other, far from each other, …"""
    groups = []
    for row in sorted(rows, key=lambda row: row[0].before):
        if groups and alike(groups[-1][0][0].before, row[0].before):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def spared(rows, side):
    """Whether a side had time to spare and lost nothing: then its generator was the bound."""
    middle = medians([row[side].figures for row in rows])
    return middle.get("busy") is not None and middle["busy"] < LEAST_BUSY and not middle.get("drops")


def between(values, scale=1.0):
    edges = sure(values)
    return f"{edges[0] / scale:.3f} .. {edges[1] / scale:.3f}" if edges else "too few to say"


def side_line(case, name, rows, side):
    figures = [row[side].figures for row in rows]
    scale = 1e6 if case.figure.startswith("pps") else 1.0
    values, middle = [f[case.figure] for f in figures], medians(figures)
    line = f"    {name:34} {middle[case.figure] / scale:10.3f} {case.unit}  (95 %: {between(values, scale)})"
    if middle.get("cycles") is not None:
        line += f", {middle['cycles']:.1f} busy cycles a packet"
    if middle.get("busy") is not None:
        line += f", busy {100 * middle['busy']:.0f} %"
    if middle.get("drops"):
        line += f", {middle['drops']:.0f} drops"
    rest = {k: v for k, v in middle.items()
            if k not in (case.figure, "cycles", "busy", "drops", "pps", "pps-per-cpu", "cpu-share")}
    if rest:
        line += "\n      " + ", ".join(f"{k} {v:g}" if k == "samples" else f"{k} {v:.3g}" for k, v in rest.items())
    return line


def compare(case, rows, names):
    """Ratios of ours to the other's, round by round: what is said of them, and whether the least is met."""
    values, parts = [], []
    for group in by_distance(rows):
        # A worker with time to spare says how fast its generator is; what it spends on a packet does not.
        generated = case.generated and any(spared(group, side) for side in range(2))
        found = ratios(group, "cycles" if generated else case.figure, inverse=generated)
        if found:
            values += found
            word = "busy cycles a packet, generator-bound" if generated else case.unit
            away = statistics.median(row[0].before for row in group)
            parts.append(f"{statistics.median(found):.3f} with the CPUs {away:.0f} ns apart, by {word} ({len(found)} rounds)")
    if not values:
        return "not decided: nothing to compare", None
    edges = sure(values)
    text = f"{statistics.median(values):.3f} of {names[1]} (95 %: {between(values)}; {len(values)} rounds)"
    text = "\n    ".join([text, *parts])
    if case.least is None or names[1].startswith("spp at"):
        return text, None
    if edges is None or edges[0] < case.least <= edges[1]:
        return f"not decided, at least {case.least:.2f} is expected: {text}", None
    met = edges[0] >= case.least
    return f"{'met' if met else 'MISSED'}, at least {case.least:.2f} is expected: {text}", met


def judge(case, rows, names):
    """The outcome of a case in words, and whether what is expected is met."""
    if case.most is not None:
        value = medians([row[0].figures for row in rows])[case.figure]
        met = value <= case.most
        return f"{'met' if met else 'MISSED'}: at most {case.most:g}", met
    return compare(case, rows, names)


def run_case(case, args):
    """Measures and prints one case; gives what goes into the JSON."""
    names = [name for name, _, _ in sides(case, args)]
    record = {"case": case.name, "title": case.title, "figure": case.figure, "unit": case.unit,
              "least-ratio": case.least, "most": case.most, "sides": names}
    print(f"\n{case.name}: {case.title}", flush=True)
    try:
        table = measure(case, args)
    except Unavailable as e:
        print(f"  unavailable: {e}", flush=True)
        return {**record, "unavailable": str(e)}
    except BenchError as e:
        print(f"  FAILED: {e}", flush=True)
        return {**record, "error": str(e)}
    rows = [row for row in table if whole(case, row)]
    print(f"    {len(rows)} of {len(table)} rounds were undisturbed")
    record["rounds"] = [[vars(s) for s in row] for row in table]
    if len(rows) < min(case.enough, len(table)):
        outcome, met = f"not decided: noisy, {case.enough} undisturbed rounds are needed", None
    else:
        groups = by_distance(rows) if case.least is not None else [rows]
        for group in groups:
            if len(groups) > 1:
                print(f"   CPUs {statistics.median(row[0].before for row in group):.0f} ns apart:")
            for side, name in enumerate(names):
                print(side_line(case, name, group, side))
        outcome, met = judge(case, rows, names)
    print(f"  {outcome}", flush=True)
    return {**record, "outcome": outcome, "met": met}


def cpu_model():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def dpdk_version():
    try:
        done = subprocess.run(["pkg-config", "--modversion", "libdpdk"], capture_output=True, text=True, check=False)
        return done.stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def main():
    args = arguments()
    # An end by signal, too, leaves through the `with` blocks.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cases = [c for c in CASES if not args.case or c.name in args.case]
    head = {"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "revision": args.revision, "against": args.against, "dpdk": dpdk_version(), "cpu": cpu_model(),
            "cpus": len(os.sched_getaffinity(0))}
    others = others_share(1.0)
    quiet = "" if others <= MOST_OTHERS else f"; NOT QUIET: others use {100 * others:.0f} % of the CPUs"
    print(f"SPP {head['revision']}, DPDK {head['dpdk']}, {head['cpus']} CPUs of {head['cpu']}{quiet}", flush=True)
    records = [run_case(case, args) for case in cases]
    if args.json:
        with open(args.json, "w") as file:
            json.dump({**head, "cases": records}, file, indent=1)
            file.write("\n")
    return 1 if any("error" in r for r in records) else 0


if __name__ == "__main__":
    sys.exit(main())

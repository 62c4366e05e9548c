"""Measures SPP and its opponents in interleaved runs. Called by scripts/bench.sh."""

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys

from cases import CASES
from machine import BenchError, CpuTime, Unavailable, others_share
from stats import medians, spread

# Shares of the CPUs that the hypervisor, and other processes, may take from a quiet machine.
MOST_STEAL = 0.01
MOST_OTHERS = 0.05
# Below this a worker has time to spare: the generator is the bound.
LEAST_BUSY = 0.90


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__)
    parser.add_argument("--case", action="append", metavar="NAME", choices=[c.name for c in CASES],
                        help="only this case (may be repeated): " + ", ".join(c.name for c in CASES))
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each side (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="N", help="length of a run (default 5)")
    parser.add_argument("--against", metavar="REV", help="build this revision too, and run it beside ours")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--bin-dir", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--against-bin-dir", help=argparse.SUPPRESS)
    parser.add_argument("--revision", default="unknown", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    if args.json:
        # Said now, not after all has been measured.
        try:
            open(args.json, "a").close()
        except OSError as e:
            parser.error(f"--json {args.json}: {e.strerror}")
    return args


class Result:
    """What the runs of one side of one case gave."""

    def __init__(self, name, bin_dir, run):
        self.name, self.bin_dir, self.run = name, bin_dir, run
        self.runs, self.steal, self.others = [], [], []


def measure(case, args):
    """Runs all sides in turn, `rounds` times, each round in the other order than the one before."""
    results = [Result("spp", args.bin_dir, case.ours)]
    if args.against:
        results.append(Result(f"spp at {args.against}", args.against_bin_dir, case.ours))
    if case.against:
        results.append(Result(case.against.name, args.bin_dir, case.against.run))
    for number in range(args.rounds):
        for result in results if number % 2 == 0 else reversed(results):
            result.others.append(others_share())
            cpu_time = CpuTime()
            result.runs.append(result.run(result.bin_dir, args.seconds))
            result.steal.append(cpu_time.shares()[0])
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def remarks(case, results):
    """Why the figures may not mean what they seem to."""
    found = []
    for result in results:
        values = [run[case.figure] for run in result.runs]
        if max(result.steal) > MOST_STEAL:
            found.append(f"noisy: the hypervisor took {100 * max(result.steal):.1f} % of the CPUs in a run of {result.name}")
        if max(result.others) > MOST_OTHERS:
            found.append(f"noisy: others used {100 * max(result.others):.0f} % of the CPUs before a run of {result.name}")
        if spread(values) > case.quiet:
            found.append(f"noisy: runs of {result.name} differ by {100 * spread(values):.0f} % (limit {100 * case.quiet:.0f} %)")
        share = min((run["cpu-share"] for run in result.runs if "cpu-share" in run), default=None)
        if share is not None and share < 0.95:
            found.append(f"noisy: the worker of {result.name} had its CPU only {100 * share:.0f} % of a run")
        middle = medians(result.runs)
        busy = middle.get("busy")
        if case.generated and busy is not None and busy < LEAST_BUSY and not middle.get("drops"):
            found.append(f"generator-bound: {result.name} was busy only {100 * busy:.0f} %: compare cycles per packet")
    return found


def verdict(case, ours, others):
    """The comparison with what is expected, in words, and whether it is met."""
    if case.most is not None:
        met = ours <= case.most
        return f"{'met' if met else 'MISSED'}: at most {case.most:g}", met
    if case.least is not None and others:
        ratio = ours / others[-1] if others[-1] else 0.0
        met = ratio >= case.least
        return f"{'met' if met else 'MISSED'}: {ratio:.2f} of it, at least {case.least:.2f}", met
    return "-", None


def show(case, results, outcome, found):
    """Prints the table of a case."""
    scale = 1e6 if case.figure.startswith("pps") else 1.0
    print(f"\n{case.name}: {case.title}")
    for result in results:
        values = [run[case.figure] / scale for run in result.runs]
        middle = medians(result.runs)
        line = f"  {result.name:34} {middle[case.figure] / scale:10.3f} {case.unit}"
        line += f"  ({min(values):.3f} .. {max(values):.3f}, spread {100 * spread(values):.0f} %)"
        if middle.get("cycles") is not None:
            line += f", {middle['cycles']:.1f} busy cycles a packet"
        if middle.get("busy") is not None:
            line += f", busy {100 * middle['busy']:.0f} %"
        if middle.get("drops"):
            line += f", {middle['drops']:.0f} drops"
        print(line)
        rest = {k: v for k, v in middle.items()
                if k not in (case.figure, "cycles", "busy", "drops", "pps", "pps-per-cpu", "cpu-share")}
        if rest:
            print("    " + ", ".join(f"{k} {v:g}" if k == "samples" else f"{k} {v:.3g}" for k, v in rest.items()))
    for remark in found:
        print(f"  {remark}")
    print(f"  {outcome}", flush=True)


def run_case(case, args):
    """Measures and prints one case; gives what goes into the JSON."""
    record = {"case": case.name, "title": case.title, "figure": case.figure, "unit": case.unit,
              "least-ratio": case.least, "most": case.most}
    try:
        results = measure(case, args)
    except Unavailable as e:
        print(f"\n{case.name}: {case.title}\n  unavailable: {e}", flush=True)
        return {**record, "unavailable": str(e)}
    except BenchError as e:
        print(f"\n{case.name}: {case.title}\n  FAILED: {e}", flush=True)
        return {**record, "error": str(e)}
    values = [medians(r.runs)[case.figure] for r in results]
    found = remarks(case, results)
    outcome, met = verdict(case, values[0], values[1:] if case.against else [])
    if found:
        outcome, met = f"not decided ({found[0].split(':')[0]}); it would be {outcome}", None
    show(case, results, outcome, found)
    sides = [{"name": r.name, "median": medians(r.runs), "spread": spread([x[case.figure] for x in r.runs]),
              "runs": r.runs, "steal": r.steal, "others": r.others} for r in results]
    return {**record, "sides": sides, "remarks": found, "outcome": outcome, "met": met}


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
            "cpus": len(os.sched_getaffinity(0)), "rounds": args.rounds, "seconds": args.seconds}
    print(f"SPP {head['revision']}, DPDK {head['dpdk']}, {head['cpus']} CPUs of {head['cpu']}; "
          f"{args.rounds} rounds of {args.seconds:g} s, sides in turn, medians", flush=True)
    records = [run_case(case, args) for case in cases]
    if args.json:
        with open(args.json, "w") as file:
            json.dump({**head, "cases": records}, file, indent=1)
            file.write("\n")
    return 1 if any("error" in r for r in records) else 0


if __name__ == "__main__":
    sys.exit(main())

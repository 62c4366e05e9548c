"""Medians, percentiles and how sure a median is."""

import math
import statistics


def percentile(values, percent):
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def sure(values, confidence=0.95):
    """Between which two of the values the true median lies, with that confidence; `None` with too few of them.

    By ranks, without any assumption about how they are distributed: that k of n values or fewer lie below
    the median is a matter of tossing coins.
    """
    ordered = sorted(values)
    n, below = len(ordered), 0.0
    best = None
    for k in range(n // 2):
        below += math.comb(n, k) / 2**n
        if 2 * below > 1 - confidence:
            break
        best = (ordered[k], ordered[n - 1 - k])
    return best


def medians(runs):
    """The median of every figure over runs (dicts); a figure that a run lacks is left out of it."""
    keys = list(dict.fromkeys(k for run in runs for k in run))
    result = {}
    for key in keys:
        values = [run[key] for run in runs if run.get(key) is not None]
        if values:
            result[key] = statistics.median(values)
    return result

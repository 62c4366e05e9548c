"""Medians, percentiles and spread."""

import math
import statistics


def percentile(values, percent):
    """The value that `percent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values):
    """Largest less smallest, as a share of the median; 0 for one value."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def medians(runs):
    """The median of every figure over runs (dicts); a figure that a run lacks is left out of it."""
    keys = list(dict.fromkeys(k for run in runs for k in run))
    result = {}
    for key in keys:
        values = [run[key] for run in runs if run.get(key) is not None]
        if values:
            result[key] = statistics.median(values)
    return result

"""Numbers of measured times."""

import math

CURVE = tuple(range(0, 100)) + (99.5, 99.9, 100)  # the percentiles that are kept of a distribution


def percentile(values, percent):
    """Of values that are sorted, between the two nearest; None of none."""
    if not values:
        return None
    place = (len(values) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def summary(values):
    """What is kept of a distribution: count, p50 to p99, mean, extremes, and a curve of [percent, value]."""
    values = sorted(values)
    if not values:
        return {"count": 0}
    told = {f"p{p}": percentile(values, p) for p in (50, 90, 95, 99)}
    return {"count": len(values), "min": values[0], "max": values[-1], "mean": sum(values) / len(values)} | told | {
        "curve": [[p, round(percentile(values, p), 4)] for p in CURVE]}


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def ratio(value, base):
    """None where there is none."""
    return value / base if value is not None and base else None


def geometric_mean(values):
    values = [v for v in values if v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def number(value, digits=3):
    """For people: so many digits that count, never an exponent; a dash for none."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 6)}f}"

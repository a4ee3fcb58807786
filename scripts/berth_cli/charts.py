"""Charts as inline SVG. Colours are classes of the page's style sheet, so that they follow its light and dark."""

import math
from html import escape

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 40


def text(x, y, words, anchor="middle", css=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(str(words))}</text>'


def line(x1, y1, x2, y2, css):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def svg(width, height, label, parts):
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label, True)}">{"".join(parts)}</svg>'


def short(value):
    """Of a round number."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


class Log:
    """Values to a share of the axis, by their logarithm."""

    def __init__(self, values):
        self.low, self.high = math.floor(math.log10(min(values)) * 3) / 3, math.ceil(math.log10(max(values)) * 3) / 3
        self.high = max(self.high, self.low + 1 / 3)
        exponents = range(math.floor(self.low), math.ceil(self.high) + 1)
        steps = (1,) if self.high - self.low > 2.5 else (1, 2, 5)
        self.ticks = [m * 10**e for e in exponents for m in steps if self.low - 1e-9 <= math.log10(m * 10**e) <= self.high + 1e-9]

    def share(self, value):
        return (math.log10(value) - self.low) / (self.high - self.low)


class Linear:
    def __init__(self, values):
        most = max(values)
        step = 10 ** math.floor(math.log10(most))
        step = next(s for s in (step / 5, step / 2, step, step * 2) if most / s <= 5)
        self.high = math.ceil(most / step) * step
        self.ticks = [step * i for i in range(round(self.high / step) + 1)]

    def share(self, value):
        return value / self.high


def frame(scale, unit):
    """The vertical axis: its lines, and what they stand for. Returns also where a value is."""

    def y(value):
        return HEIGHT - BOTTOM - scale.share(value) * (HEIGHT - TOP - BOTTOM)

    parts = [line(LEFT, y(t), WIDTH - RIGHT, y(t), "grid") + text(LEFT - 6, y(t) + 4, short(t), "end") for t in scale.ticks]
    return parts + [text(LEFT - 6, HEIGHT - BOTTOM + 28, unit, "end", "faint")], y


# Percentiles are stretched towards the end, where tails are: each ten times fewer calls take the same room.
PERCENTS = (0, 50, 90, 99, 99.9)


def stretched(percent):
    return min(-math.log10(max(1 - percent / 100, 1e-3)) / 3, 1)


def percentile_curves(series):
    """series: [(css, [[percent, ms]])]"""
    series = [(css, [(p, v) for p, v in curve if v > 0 and p <= 99.9]) for css, curve in series if curve]
    if not any(curve for _, curve in series):
        return ""
    parts, y = frame(Log([v for _, curve in series for _, v in curve]), "ms")

    def x(percent):
        return LEFT + stretched(percent) * (WIDTH - LEFT - RIGHT)

    for p in PERCENTS:
        anchor = "end" if p == PERCENTS[-1] else "middle"
        parts.append(line(x(p), TOP, x(p), HEIGHT - BOTTOM, "grid") + text(x(p), HEIGHT - BOTTOM + 16, f"p{p:g}" if p else "least", anchor))
    for css, curve in series:
        points = " ".join(f"{x(p):.1f},{y(v):.1f}" for p, v in curve)
        parts.append(f'<polyline points="{points}" class="curve {css}"/>')
    return svg(WIDTH, HEIGHT, "latency by percentile", parts)


def strips(rows):
    """Each call a dot, and a mark at the median. rows: [(label, css, [ms], median)]"""
    rows = [row for row in rows if row[2]]
    if not rows:
        return ""
    scale = Log([v for row in rows for v in row[2] if v > 0])
    left, gap = 130, 34
    height = TOP + gap * len(rows) + BOTTOM - 10

    def x(value):
        return left + scale.share(value) * (WIDTH - left - RIGHT - 10)

    parts = [line(x(t), TOP, x(t), height - BOTTOM + 10, "grid") + text(x(t), height - BOTTOM + 26, short(t)) for t in scale.ticks]
    parts.append(text(left - 10, height - BOTTOM + 26, "ms", "end", "faint"))
    for i, (label, css, values, median) in enumerate(rows):
        y = TOP + gap * i + gap / 2
        parts.append(text(left - 10, y + 4, label, "end"))
        parts += [f'<circle cx="{x(v):.1f}" cy="{y:.1f}" r="4.5" class="dot {css}"/>' for v in values if v > 0]
        parts.append(line(x(median), y - 11, x(median), y + 11, f"median {css}"))
    return svg(WIDTH, height, "starts", parts)


def grouped_bars(groups, unit):
    """groups: [(label, [(css, value, told)])]; a value may be None"""
    values = [v for _, bars in groups for _, v, _ in bars if v]
    if not values:
        return ""
    parts, y = frame(Linear(values), unit)
    room = (WIDTH - LEFT - RIGHT) / len(groups)
    for i, (label, bars) in enumerate(groups):
        width = min(44, room * 0.8 / len(bars))
        first = LEFT + room * (i + 0.5) - width * len(bars) / 2
        parts.append(text(LEFT + room * (i + 0.5), HEIGHT - BOTTOM + 16, label))
        for k, (css, value, told) in enumerate(bars):
            if value:
                x, top = first + k * width, y(value)
                parts.append(f'<rect x="{x + 1:.1f}" y="{top:.1f}" width="{width - 2:.1f}" height="{HEIGHT - BOTTOM - top:.1f}" class="{css}"/>')
                parts.append(text(x + width / 2, top - 4, told, css="value"))
    return svg(WIDTH, HEIGHT, unit, parts)


def ratio_bars(rows, label):
    """Horizontal, from 1 to the right or to the left. rows: [(name, ratio or None, told)]"""
    known = [r for _, r, _ in rows if r]
    if not known:
        return ""
    scale = Log([*known, 0.8, 1.25])
    left, right, gap, width = 128, 50, 24, 460
    height = 8 + gap * len(rows) + 26

    def x(value):
        return left + scale.share(value) * (width - left - right)

    parts = [line(x(t), 4, x(t), height - 22, "grid") + text(x(t), height - 6, f"{t:g}×") for t in scale.ticks]
    parts.append(line(x(1), 4, x(1), height - 22, "one"))
    for i, (name, value, told) in enumerate(rows):
        y = 8 + gap * i
        parts.append(text(left - 8, y + 15, name, "end"))
        if value:
            begin, end = sorted((x(1), x(value)))
            parts.append(f'<rect x="{begin:.1f}" y="{y + 3:.1f}" width="{max(end - begin, 1):.1f}" height="{gap - 8}" class="r1"/>')
            parts.append(text(end + 5, y + 15, told, "start", "value"))
    return svg(width, height, label, parts)

"""
Draws the throughput part of `make bench`, one row of charts per language: requests per second, p50 and p99 over concurrency.

    plot.py RESULTS.json PICTURE.svg
"""

import json
import math
import pathlib
import statistics
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 380, 280  # of one chart, with what is written around it
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 40, 40
LEGEND = 52

# kind → what it is called, colour
KINDS = {
    "constant": ("(a) constant FastCGI answer", "#9a9a9a"),
    "host": ("(b) on the host, no sandbox", "#3a3a3a"),
    "docker": ("(c) Berth, Docker", "#1769c2"),
    "gvisor": ("(d) Berth, gVisor", "#d9730d"),
}
# title, field, factor, logarithmic
CHARTS = (
    ("requests per second", "per_second", 1, False),
    ("p50, ms", "p50_us", 1e-3, True),
    ("p99, ms", "p99_us", 1e-3, True),
)


class Scale:
    """From values to a length along an axis, with round ticks."""

    def __init__(self, values, log):
        self.log = log
        if log:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            high = max(high, low + 1)
            self.ticks = [m * 10**e for e in range(low, high) for m in (1, 2, 5)] + [10**high]
            self.low, self.high = low, high
        else:
            step = 10 ** math.floor(math.log10(max(values)))
            step = next(s for s in (step / 5, step / 2, step, step * 2) if max(values) / s <= 6)
            self.low, self.high = 0, math.ceil(max(values) / step) * step
            self.ticks = [step * i for i in range(round(self.high / step) + 1)]

    def share(self, value):
        """0 at the axis' begin, 1 at its end."""
        return ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)


def text(x, y, words, anchor="middle", **style):
    attributes = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(words)}</text>'


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def series(rows, kind, field, factor):
    """[(concurrency, median, least, most)]"""
    points = []
    for row in rows:
        if row["kind"] == kind:
            values = [r[field] * factor for r in row["rounds"]]
            points.append((row["concurrency"], statistics.median(values), min(values), max(values)))
    return sorted(points)


def chart(rows, title, field, factor, log):
    lines = {kind: points for kind in KINDS if (points := series(rows, kind, field, factor))}
    concurrencies = sorted({p[0] for points in lines.values() for p in points})
    scale = Scale([value for points in lines.values() for p in points for value in p[2:]], log)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(concurrency):
        return LEFT + width * (concurrencies.index(concurrency) + 0.5) / len(concurrencies)

    def y(value):
        return TOP + height * (1 - scale.share(value))

    out = [text(LEFT + width / 2, TOP - 14, title, font_weight="bold")]
    for tick in scale.ticks:
        out += [line(LEFT, y(tick), LEFT + width, y(tick), "#e4e4e4"),
                text(LEFT - 6, y(tick) + 4, f"{tick:g}", "end", fill="#555")]
    out += [text(x(c), HEIGHT - BOTTOM + 18, str(c), fill="#555") for c in concurrencies]
    out.append(text(LEFT + width / 2, HEIGHT - 6, "concurrency", fill="#555"))
    for kind, points in lines.items():
        colour = KINDS[kind][1]
        path = " ".join(f"{x(c):.1f},{y(value):.1f}" for c, value, _, _ in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for c, value, least, most in points:
            out += [line(x(c), y(least), x(c), y(most), colour),
                    f'<circle cx="{x(c):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"/>']
    return out


def legend(kinds, width):
    out = []
    for i, kind in enumerate(kinds):
        words, colour = KINDS[kind]
        at = width * (i + 0.5) / len(kinds)
        out += [f'<rect x="{at - 110:.1f}" y="16" width="14" height="14" fill="{colour}"/>', text(at - 90, 28, words, "start")]
    return out


def picture(rows):
    languages = list(dict.fromkeys(row["language"] for row in rows if row["language"]))
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    width, row_height = WIDTH * len(CHARTS), HEIGHT + 30
    height = LEGEND + row_height * len(languages)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>', *legend(kinds, width)]
    for i, language in enumerate(languages):
        top = LEGEND + i * row_height
        out.append(text(LEFT, top + 16, f"no-op function, {language}", "start", font_size=15, font_weight="bold"))
        of_language = [row for row in rows if row["language"] in (language, None)]
        for j, (title, field, factor, log) in enumerate(CHARTS):
            drawn = chart(of_language, title, field, factor, log)
            out += [f'<g transform="translate({j * WIDTH},{top + 20})">', *drawn, "</g>"]
    return "\n".join([*out, "</svg>"]) + "\n"


def main():
    results, target = sys.argv[1:]
    rows = json.loads(pathlib.Path(results).read_text())["parts"]["throughput"]
    pathlib.Path(target).write_text(picture(rows))
    print(f"plot: {target}")


if __name__ == "__main__":
    main()

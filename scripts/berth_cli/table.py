"""The figures as rows, for a terminal and for the page."""

from berth_cli.figures import geometric_mean, number, ratio

RUNTIME_NAMES = {"docker": "Docker", "gvisor": "gVisor"}


def runtime_name(runtime):
    return RUNTIME_NAMES.get(runtime, runtime)


def dig(figures, *path):
    """None where there is none."""
    for name in path:
        figures = figures.get(name) if isinstance(figures, dict) else None
    return figures


def lines_of(subject):
    """[(what, unit, path of the figure, factor)]"""
    levels = sorted({int(c) for figures in subject["runtimes"].values() for c in figures["warm"]})
    lines = [("cold start, p50", "ms", ("cold", "latency_ms", "p50"), 1),
             ("prewarmed start, p50", "ms", ("prewarmed", "latency_ms", "p50"), 1)]
    for c in levels:
        at = f"warm, {c} at a time"
        lines += [(f"{at}, p50", "ms", ("warm", str(c), "latency_ms", "p50"), 1),
                  (f"{at}, p99", "ms", ("warm", str(c), "latency_ms", "p99"), 1),
                  (f"{at}, throughput", "/s", ("warm", str(c), "per_second"), 1)]
    return lines + [("processor time per call", "ms", ("server", "cpu_ms", "mean"), 1),
                    ("memory of a sandbox, most", "MB", ("server", "memory_bytes", "max"), 1e-6)]


def rows(subject):
    """[[what, unit, figure of each runtime…, last ÷ first]], numbers or None. Lines nobody has a figure for are left out."""
    told = []
    for what, unit, path, factor in lines_of(subject):
        values = [dig(figures, *path) for figures in subject["runtimes"].values()]
        values = [v * factor if v is not None else None for v in values]
        if any(v is not None for v in values):
            told.append([what, unit, *values, ratio(values[-1], values[0]) if len(values) > 1 else None])
    return told


def header(subject):
    names = [runtime_name(r) for r in subject["runtimes"]]
    return ["", "", *names, *([f"{names[-1]} ÷ {names[0]}"] if len(names) > 1 else [])]


def failures(subject):
    """[text] for calls that were not answered with success, and figures that are not whole."""
    told = []
    for runtime, figures in subject["runtimes"].items():
        for c, warm in figures["warm"].items():
            for status, count in warm["failed"].items():
                told.append(f"{runtime_name(runtime)}, {c} at a time: {count} calls were answered {status if status != '0' else 'not at all'}")
        if not figures["server"]["complete"]:
            told.append(f"{runtime_name(runtime)}: the platform has not counted all calls; processor time and memory may be off")
    return told


def language(subject):
    """With its version."""
    return f"{subject['language']} {subject['language_version']}"


def text(subject):
    head = header(subject)
    body = [[what, unit, *(number(v) for v in values)][: len(head)] for what, unit, *values in rows(subject)]
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    align = [str.ljust, str.ljust] + [str.rjust] * (len(head) - 2)
    lines = ["  ".join(a(cell, w) for a, cell, w in zip(align, line, widths)).rstrip() for line in [head, *body]]
    return "\n".join([f"{printable(subject['name'])} ({printable(language(subject))})", *lines, *(f"! {f}" for f in failures(subject))])


def printable(name):
    """A name without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in name)


# Of the overview: title, path of the figure, what it tells
OVERVIEW = (
    ("Warm call, median", ("warm", "FIRST", "latency_ms", "p50"), "one call at a time, seen from the client"),
    ("Processor time per call", ("server", "cpu_ms", "mean"), "all that the sandbox uses, gVisor's own kernel included"),
    ("Cold start, median", ("cold", "latency_ms", "p50"), "a call that has a container started"),
    ("Memory of a sandbox", ("server", "memory_bytes", "max"), "the most that a warm sandbox used"),
)


def first_level(result):
    return str(result["options"]["concurrency"][0])


def ratios(result, path):
    """[(subject's name, ratio of the last runtime to the first)]"""
    path = [first_level(result) if part == "FIRST" else part for part in path]
    told = []
    for subject in result["subjects"]:
        values = [dig(figures, *path) for figures in subject["runtimes"].values()]
        told.append((subject["name"], ratio(values[-1], values[0])))
    return told


def overview(result):
    """A Markdown table of the last runtime ÷ the first, "" where there is nothing to look over."""
    names = [runtime_name(r) for r in result["options"]["runtimes"]]
    if len(result["subjects"]) < 2 or len(names) < 2:
        return ""
    columns = [[r for _, r in ratios(result, path)] for _, path, _ in OVERVIEW]
    lines = [[f"{names[-1]} ÷ {names[0]}", *(title.lower() for title, _, _ in OVERVIEW)], ["---"] + ["--:"] * len(columns)]
    lines += [[printable(s["name"]), *(number(c[i]) for c in columns)] for i, s in enumerate(result["subjects"])]
    lines.append(["geometric mean", *(number(geometric_mean(c)) for c in columns)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

"""The figures as one page that needs nothing else. Whatever comes from outside, names of functions included, is escaped."""

from html import escape

from berth_cli import charts, table
from berth_cli.figures import geometric_mean, number, ratio
from berth_cli.table import dig, runtime_name

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2430; --faint: #667080; --line: #dde2e8; --panel: #f6f8fa;
  --r0: #1769c2; --r1: #d9730d; --r2: #2c8a57; --r3: #8a4fc0; }
@media (prefers-color-scheme: dark) { :root { --page: #14181e; --ink: #e3e8ee; --faint: #95a0ae; --line: #303843; --panel: #1b2129;
  --r0: #5aa2ec; --r1: #f0994a; --r2: #5fc08c; --r3: #b98ae6; } }
@media print { :root { --page: #fff; --ink: #000; --faint: #555; --line: #ccc; --panel: #fff; --r0: #1769c2; --r1: #d9730d; }
  section { break-inside: avoid; } }
body { margin: 0 auto; max-width: 1040px; padding: 32px 24px 64px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 20px; margin: 44px 0 8px; } h3 { font-size: 14px; margin: 0 0 6px; }
p { margin: 6px 0; } .lead { color: var(--faint); max-width: 70ch; } .warning { color: var(--r1); }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 14px; margin: 14px 0; }
figure { margin: 0; padding: 12px 14px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; break-inside: avoid; }
figure p { color: var(--faint); font-size: 13px; margin: 0 0 6px; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .faint { fill: var(--faint); } svg .value { font-size: 11px; }
.grid { stroke: var(--line); } .one { stroke: var(--ink); } .curve { fill: none; stroke-width: 2.2; } .dot { fill-opacity: .45; }
.median { stroke-width: 3; }
.tables { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 3px 12px 3px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; } td.unit { text-align: left; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 10px 0; } dt { color: var(--faint); } dd { margin: 0; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin: 0 5px 0 14px; }
""" + "".join(f".r{i} {{ fill: var(--r{i}); }} .curve.r{i} {{ fill: none; }} .curve.r{i}, .median.r{i} {{ stroke: var(--r{i}); }} "
              f".key.r{i} {{ background: var(--r{i}); }}\n" for i in range(4))

def css(i):
    return f"r{i % 4}"


def figure(title, words, chart):
    return f"<figure><h3>{escape(title)}</h3><p>{escape(words)}</p>{chart}</figure>" if chart else ""


def html_table(head, rows):
    cells = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = "".join("<tr>" + "".join(f"<td{' class=unit' if i == 1 else ''}>{escape(c)}</td>" for i, c in enumerate(row)) + "</tr>"
                    for row in rows)
    return f'<div class="tables"><table><tr>{cells}</tr>{lines}</table></div>'


def legend(runtimes):
    return "<p>" + "".join(f'<span class="key {css(i)}"></span>{escape(runtime_name(r))}' for i, r in enumerate(runtimes)) + "</p>"


def definitions(pairs):
    return "<dl>" + "".join(f"<dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs) + "</dl>"


def overview(result):
    runtimes = result["options"]["runtimes"]
    if len(result["subjects"]) < 2 or len(runtimes) < 2:
        return ""
    what = f"{runtime_name(runtimes[-1])} ÷ {runtime_name(runtimes[0])}"
    parts, head, columns = [], ["workload"], []
    for title, path, words in table.OVERVIEW:
        values = table.ratios(result, path)
        parts.append(figure(title, words, charts.ratio_bars([(n, r, f"{number(r)}×") for n, r in values], f"{title}, {what}")))
        head.append(title)
        columns.append([r for _, r in values])
    rows = [[subject["name"], *(f"{number(column[i])}×" if column[i] else "–" for column in columns)]
            for i, subject in enumerate(result["subjects"])]
    rows.append(["geometric mean", *(f"{number(geometric_mean(column))}×" for column in columns)])
    return (f"<section><h2>{escape(what)}</h2><p class=lead>How much more, or less, a workload costs on {escape(runtime_name(runtimes[-1]))}"
            f" than on {escape(runtime_name(runtimes[0]))}; 1× is the same. The axis is logarithmic.</p>"
            f'<div class="charts">{"".join(parts)}</div>{html_table(head, rows).replace(" class=unit", "")}</section>')


def subject_charts(subject, concurrency):
    sides = list(enumerate(subject["runtimes"].items()))
    c = str(concurrency[0])
    curves = [(css(i), dig(f, "warm", c, "latency_ms", "curve") or []) for i, (_, f) in sides]
    starts = [(f"{runtime_name(r)}, {kind}", css(i), f[kind]["samples_ms"], dig(f, kind, "latency_ms", "p50"))
              for kind in ("prewarmed", "cold") for i, (r, f) in sides]
    throughput = [(f"{n} at a time", [(css(i), v := dig(f, "warm", str(n), "per_second"), number(v)) for i, (_, f) in sides])
                  for n in concurrency]

    def one_figure(path, factor):
        values = [(css(i), dig(f, *path), runtime_name(r)) for i, (r, f) in sides]
        return [(name, [(colour, (v or 0) * factor, number((v or 0) * factor))]) for colour, v, name in values]

    return "".join([
        figure("Warm calls", f"latency by percentile, {c} at a time", charts.percentile_curves(curves)),
        figure("First calls", "each a dot, the bar their median", charts.strips(starts)),
        figure("Throughput", "calls per second, by concurrency", charts.grouped_bars(throughput, "/s")),
        figure("Processor time", "per warm call, all of the sandbox", charts.grouped_bars(one_figure(("server", "cpu_ms", "mean"), 1), "ms")),
        figure("Memory", "the most a warm sandbox used", charts.grouped_bars(one_figure(("server", "memory_bytes", "max"), 1e-6), "MB")),
    ])


def counts(subject):
    """What the medians stand on."""
    told = []
    for runtime, f in subject["runtimes"].items():
        warm = sum(w["latency_ms"]["count"] for w in f["warm"].values())
        told.append(f"{runtime_name(runtime)}: {f['cold']['latency_ms']['count']} cold, "
                    f"{f['prewarmed']['latency_ms']['count']} prewarmed, {warm} warm calls")
    return "; ".join(told) + "."


def section(subject, concurrency):
    rows = [[what, unit, *(number(v) for v in values)] for what, unit, *values in table.rows(subject)]
    head = table.header(subject)
    warnings = "".join(f"<p class=warning>{escape(f)}</p>" for f in table.failures(subject))
    return (f"<section><h2>{escape(subject['name'])}</h2><p class=lead>{escape(table.language(subject))}, {subject['memory_limit_mb']} MB. "
            f"{escape(counts(subject))}</p>{warnings}{legend(subject['runtimes'])}"
            f'<div class="charts">{subject_charts(subject, concurrency)}</div>{html_table(head, [r[: len(head)] for r in rows])}</section>')


def client_words(result):
    """One line for each concurrency."""
    return html_table(["GET /healthz", "", "p50 ms", "p99 ms", "per second", "client's processor time, ms"],
                      [[f"{c} at a time", "", number(f["latency_ms"]["p50"]), number(f["latency_ms"]["p99"]), number(f["per_second"]),
                        number(f["cpu_us"] / 1000)] for c, f in result["client"].items()])


def missing(result):
    names = ", ".join(result["missing"])
    return f"<p class=warning>It ended before all was measured. Missing: {escape(names)}.</p>" if names else ""


def page(result):
    names = [runtime_name(r) for r in result["options"]["runtimes"]]
    options = result["options"]
    title = " and ".join(names) + " on Berth"
    conditions = [*result["machine"], ("date", result["date"]), ("berth", result["berth"]),
                  ("measured", f"{options['rounds']} rounds of {options['duration']:g} s for each runtime and concurrency, in turns; "
                               f"{options['cold']} cold and as many prewarmed starts")]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p class=lead>The same functions, called over HTTPS, in sandboxes of {escape(" and of ".join(names))}. Latency is what the client saw, TLS
and nginx included; how a call began (cold, prewarmed, warm) is what its answer said; processor time and memory are the platform's own
figures of each sandbox.</p>
{missing(result)}
{overview(result)}
{"".join(section(s, options["concurrency"]) for s in result["subjects"])}
<section><h2>Conditions</h2>{definitions(conditions)}<p><code>{escape(result["command"])}</code></p>
<p class=lead>What the client, TLS, nginx and a worker cost without a function: part of every latency above.</p>{client_words(result)}</section>
</body></html>
"""

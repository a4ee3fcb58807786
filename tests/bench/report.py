"""Numbers, tables and targets."""

import statistics

median = statistics.median


def percentile(values, percent):
    """The smallest value that so many percent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def of(rounds, field):
    return median(r[field] for r in rounds)


def print_table(head, rows):
    print("\n| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


class Targets:
    """What is wanted and what there is. Misses are reported, not failed: machines are noisy."""

    def __init__(self):
        self.rows = []

    def most(self, what, value, limit, unit=""):
        self._add(what, value, "≤", limit, unit, value <= limit)

    def least(self, what, value, limit, unit=""):
        self._add(what, value, "≥", limit, unit, value >= limit)

    def _add(self, what, value, sign, limit, unit, ok):
        self.rows.append({"what": what, "value": value, "target": f"{sign} {limit:g}{unit}", "unit": unit, "ok": bool(ok)})

    def print(self):
        print_table(["target", "measured", "wanted", ""],
                    [[r["what"], f"{r['value']:.3g}{r['unit']}" if r["value"] < 1000 else f"{r['value']:.0f}{r['unit']}",
                      r["target"], "ok" if r["ok"] else "**missed**"] for r in self.rows])

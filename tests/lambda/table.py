"""
The tables of runtimes/lambda.md, made from the rows of python.py and javascript.py (tests/agents/test_lambda.py runs them).

    python3 table.py            prints the document as it should be
    python3 table.py --write    writes it (`make lambda-tables`)
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import javascript  # noqa: E402
import python  # noqa: E402

LANGUAGES = {"python": python.ROWS, "javascript": javascript.ROWS}
DOCUMENT = HERE.parents[1] / "runtimes/lambda.md"
TABLE = re.compile(r"(<!-- made by `make lambda-tables` from tests/lambda/(\w+)\.py -->\n)(?:\|.*\n)*")


def markdown(rows):
    lines = ["| | on Lambda | on Berth |", "|---|---|---|"]
    lines += [f"| {row.behaviour} | {row.on_lambda} | {row.on_berth} |" for row in rows]
    return "\n".join(lines) + "\n"


def with_tables(document):
    """The document with the tables that the rows make."""
    return TABLE.sub(lambda found: found[1] + markdown(LANGUAGES[found[2]]), document)


if __name__ == "__main__":
    text = with_tables(DOCUMENT.read_text())
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.write_text(text)
    else:
        print(text, end="")

"""What the documents tell their readers to type, and how it is run on the stack of the tests."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

AS_TYPED = "alias curl='curl -sS --fail-with-body -w \"\\n\" "  # an answer that is an error fails, and ends its line as the prompt would


def read(name):
    return (ROOT / name).read_text()


def blocks(name, kind="sh"):
    """(heading, text) of each block of that kind, by default of shell commands, in the order of the document."""
    found, heading, lines = [], None, None
    for line in read(name).splitlines():
        if line == f"```{kind}":
            lines = []
        elif line == "```" and lines is not None:
            found.append((heading, "\n".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
    return found


def replaced(text, *replacements):
    """Each (written, meant) must be there, so that no replacement outlives what it replaces."""
    for written, meant in replacements:
        assert written in text, written
        text = text.replace(written, meant)
    return text


def names_of_the_tour(stack):
    """What the first line of the tour defines, with this stack's names."""
    first = dict(blocks("README.md"))["A tour"].splitlines()[0]
    return replaced(
        first,
        ("https://localhost:8443", f"https://localhost:{stack.port}"),
        ("/opt/berth/var", str(stack.dir)),
        ("alias curl='curl -s ", AS_TYPED),
    )


def run_script(text, cwd, **environment):
    """As somebody would type it, but that the first command that fails ends it, and each is shown."""
    prologue = "set -eEuo pipefail; shopt -s expand_aliases; trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n"
    return subprocess.run(
        ["bash", "-c", prologue + text], cwd=cwd, capture_output=True, text=True, timeout=1500, env=os.environ | environment
    )


def comments(text):
    """What the comments behind commands say comes out."""
    return re.findall(r"#\s*(\{.*\})$", text, re.M)

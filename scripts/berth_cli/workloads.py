"""
What is measured: a function that is deployed, or code in a folder.

A folder holds main.py or main.js, and function.json where it wants more than the defaults: {"settings": {…}, "input": …}. A workload
is a folder of such folders, one for each language.
"""

import json
import pathlib

from berth_cli import Failure
from berth_cli.api import quoted

# As runtimes/*/runtime.json say in the source tree: berth may run on a machine without it.
SOURCES = {"main.py": "python", "main.js": "javascript"}
MORE = {"settings", "input"}


class Subject:
    """body: what POST /functions gets for it, but for its name and runtime."""

    def __init__(self, name, language, body, input, group=None):
        self.name, self.language, self.body, self.input, self.group = name, language, body, input, group


def from_folder(folder, group=None):
    for file, language in SOURCES.items():
        if (folder / file).is_file():
            more = read_more(folder / "function.json")
            body = more.get("settings", {}) | {"language": language, "code": (folder / file).read_text()}
            name = f"{group}/{folder.name}" if group else str(folder)
            return Subject(name, language, body, more.get("input"), group)
    return None


def read_more(file):
    if not file.exists():
        return {}
    try:
        more = json.loads(file.read_text())
    except ValueError as e:
        raise Failure(f"{file}: {e}") from None
    if not isinstance(more, dict) or set(more) - MORE or not isinstance(more.get("settings", {}), dict):
        raise Failure(f'{file} is not like {{"settings": {{}}, "input": null}}')
    return more


def from_path(path):
    """All that is in a folder, or in the folders in it."""
    folder = pathlib.Path(path).resolve()
    if not folder.is_dir():
        raise Failure(f"there is no folder {path}")
    one = from_folder(folder)
    found = [one] if one else [s for sub in sorted(folder.iterdir()) if sub.is_dir() and (s := from_folder(sub, folder.name))]
    if not found:
        raise Failure(f"{path} holds no {' or '.join(SOURCES)}, nor folders that do")
    return found


def all_of_them(folder):
    order = [w for w in sorted(folder.iterdir()) if w.is_dir()]
    return [subject for workload in order for subject in from_path(workload)]


def is_path(text):
    """A function's name has no slash, nor a dot at its begin."""
    return "/" in text or text.startswith(".")


def deployed(api, ref):
    function = api.get(f"/functions/{quoted(ref)}")
    return [Subject(function["name"], function["language"], {"from": function["id"]}, None)]

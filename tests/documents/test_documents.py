#!/usr/bin/env python3
"""The documents name only what there is: files, headings, functions and other identifiers, settings. Prints TAP, for make check."""
import fnmatch
import os
import pathlib
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_OURS = {".git", "autom4te.cache", "__pycache__", "node_modules"}
TEXTS = re.compile(r"\.(?:c|h|def|sh|py|js|mk|md|in|ac|am|sql|yml|json|xml)$|/[^./]+$")
PATH = re.compile(r"[A-Za-z0-9_.*/-]*[A-Za-z0-9_*/-]\.(?:c|h|def|sh|py|js|mk|sql|md|yml|xml|conf\.in)"
                  r"|(?:fcgi|nginx|runtimes|scripts|tests|migrations|static)/[A-Za-z0-9_./*…-]*")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+(?:\(\))?|[a-z]+\(\)")
OUTSIDE = re.compile(  # what is the reader's, the kernel's, Docker's or a library's
    r"(main|index)\.(py|js)|CERTIFICATE_VERIFY_FAILED|function\.json|pkg/mod.*|migrations/NNNN.*|(CAP|PR|O|DAC|SYS|LD)_.*|BERTH_TEST_.*|X_.*|no_new_privs|max_connections")

OTHERS = re.compile(r".*\.(sock|c|h|def|py|sh|md)|pool\.egress")  # look like settings: files, and a field of GET /readyz

MOST_CHARACTERS = 140


def files():
    for directory, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in NOT_OURS and not os.path.exists(os.path.join(directory, n, "config.status"))]
        for name in files:
            yield os.path.relpath(os.path.join(directory, name), ROOT)


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


TREE = sorted(files())
PATHS = {"/" + path for name in TREE for path in (name, *map(str, pathlib.PurePath(name).parents))}
# CHANGELOG.md is about what was, as well.
DOCUMENTS = {name: read(name) for name in TREE if name.endswith(".md") and name != "CHANGELOG.md"}
WORDS = {word for name in TREE if TEXTS.search("/" + name) and name not in DOCUMENTS
         for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", read(name))}
SETTINGS = {".".join(row) for row in re.findall(r"^CONF_(?:INT|STR)\((\w+), (\w+),", read("fcgi/conf/conf.def"), re.M)}


def without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def quoted(text):
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def anchors(text):
    for heading in re.findall(r"^#+ (.*)", text, re.M):
        yield re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def broken_links():
    for name, text in DOCUMENTS.items():
        for target in re.findall(r"\]\(([^)]+)\)", without_blocks(text)):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not os.path.exists(os.path.join(ROOT, path)):
                yield f"{name}: there is no {path}"
            elif anchor and anchor not in anchors(DOCUMENTS[path]):
                yield f"{name}: {path} has no heading #{anchor}"


def missing_files():
    for name, text in DOCUMENTS.items():
        for word in quoted(text):
            if not PATH.fullmatch(word) or OUTSIDE.fullmatch(word):
                continue
            path = os.path.normpath(os.path.join(os.path.dirname(name), word)) if word.startswith("../") else word.rstrip("/")
            pattern = "*/" + re.sub("…|[A-Z]{5,}", "*", path)  # in whichever directory it lies
            if not fnmatch.filter(PATHS, pattern):
                yield f"{name}: there is no {word}"


def missing_identifiers():
    for name, text in DOCUMENTS.items():
        for word in quoted(text):
            if IDENTIFIER.fullmatch(word) and not OUTSIDE.fullmatch(word) and word.removesuffix("()") not in WORDS:
                yield f"{name}: nothing is called {word}"


def missing_settings():
    sections = {setting.partition(".")[0] for setting in SETTINGS}
    for name, text in DOCUMENTS.items():
        for word in quoted(text):
            section, _, key = word.partition(".")
            if section in sections and re.fullmatch(r"[a-z_]+", key) and word not in SETTINGS and not OTHERS.fullmatch(word):
                yield f"{name}: there is no setting {word}"


def unlisted_rooms():
    """Each room, which is a directory with C files, has a README, which the README of the directory above links to."""
    rooms = {os.path.dirname(name) for name in TREE if name.startswith("fcgi/") and name.endswith(".c")}
    for room in sorted(rooms):
        above = os.path.dirname(room)
        if f"{room}/README.md" not in TREE:
            yield f"{room} has no README.md"
        if f"[`{os.path.basename(room)}/`]({os.path.basename(room)}/README.md)" not in read(f"{above}/README.md"):
            yield f"{room} is not in the list of rooms in {above}/README.md"


def long_lines():
    """Tables and blocks cannot be wrapped."""
    for name, text in {**DOCUMENTS, "CHANGELOG.md": read("CHANGELOG.md")}.items():
        blank = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), text, flags=re.M | re.S)
        for number, line in enumerate(blank.split("\n"), 1):
            if len(line) > MOST_CHARACTERS and not line.startswith("|"):
                yield f"{name}:{number} has {len(line)} characters, more than {MOST_CHARACTERS}"


CHECKS = {
    "every link in the documents leads to a file and a heading that exist": broken_links,
    "every file that the documents name exists": missing_files,
    "every identifier that the documents name is in the sources": missing_identifiers,
    "every setting that the documents name is in conf.def": missing_settings,
    "every room has a README and is listed": unlisted_rooms,
    "every line of the documents is short enough": long_lines,
}
print(f"1..{len(CHECKS)}")
for number, (what, check) in enumerate(CHECKS.items(), 1):
    problems = list(dict.fromkeys(check()))
    for problem in problems:
        print(f"# {problem}")
    print(f"{'not ok' if problems else 'ok'} {number} - {what}")
sys.stdout.flush()

"""The table, the directory and the README name the same attacks."""

import re
from collections import Counter
from pathlib import Path

from table import ATTACKS, HERE, markdown


def test_each_attack_is_in_the_table_once():
    found = {f"{path.parent.name}/{path.name}" for path in HERE.glob("attacks/*/*") if path.is_file()}
    assert {attack.name for attack in ATTACKS} == found
    assert max(Counter(attack.label for attack in ATTACKS).values()) == 1


def test_the_readme_has_the_table():
    readme = (HERE / "README.md").read_text()
    assert markdown() in readme, "paste what python3 tests/hostile/table.py prints"
    assert readme.count("| `") == len(ATTACKS)


def test_each_attack_says_what_it_tries():
    assert [a.name for a in ATTACKS if not a.path.read_text().startswith(("# ", "// ")) or len(a.tries()) < 20] == []


def test_each_attack_says_what_holds_it_off():
    assert [a.label for a in ATTACKS if len(a.held_by) < 10 or "|" in a.held_by or a.held_by.endswith(".")] == []


def test_tests_of_attacks_elsewhere_are_there():
    elsewhere = (HERE / "README.md").read_text().partition("## Attacks that are tested elsewhere")[2].partition("\n## ")[0]
    files = re.findall(r"\]\((\S+)\)", elsewhere)
    assert len(files) > 15 and {Path(file).parent.name for file in files} == {"e2e", "healing", "nginx"}
    assert [file for file in files if not (HERE / file).is_file()] == []

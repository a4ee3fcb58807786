"""The table, the directory and the README name the same attacks."""

from collections import Counter

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

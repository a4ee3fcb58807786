"""The handlers of tests/lambda do what its tables say, and the documentation has these tables."""

import sys
from pathlib import Path

import pytest

from conftest import ERROR, INIT_ERROR, READY, RESULT, init_frame, invoke_frame
from entries import entries

HERE = Path(__file__).parents[1] / "lambda"
sys.path.insert(0, str(HERE))

import table  # noqa: E402

ROWS = [(language, row) for language, rows in table.LANGUAGES.items() for row in rows]


@pytest.mark.parametrize("language, row", ROWS, ids=[f"{language}: {row.behaviour}" for language, row in ROWS])
def test_handler_does_what_the_table_says(boot, language, row):
    agent = boot(language, row.code)
    limits = {"response_bytes": row.response_bytes}
    agent.send(init_frame(handler=row.handler, environment=row.environment, limits=limits, log_levels=True))
    if row.not_loaded:
        return same_error(agent.expect(INIT_ERROR), row.not_loaded)
    agent.expect(READY)
    for _ in range(row.calls - 1):
        agent.send(invoke_frame({"input": row.event}))
        agent.expect(RESULT)
    agent.send(invoke_frame({"input": row.event}))
    if row.exit_code is not None:
        assert agent.wait_exit() == row.exit_code
    elif row.error:
        same_error(agent.expect(ERROR), row.error)
    else:
        assert agent.expect(RESULT) == row.answer
    if row.log is not None or not row.error:
        same_log(entries(agent), row.log or [])


def same_error(error, expected):
    kind, part = expected
    assert error["type"] == kind and part in error["message"]


def same_log(found, expected):
    if expected[-1:] == [...]:  # more follows
        expected = expected[:-1]
        found = found[: len(expected)]
    assert [level for level, _ in found] == [level for level, _ in expected], found
    for (_, text), (_, part) in zip(found, expected):
        assert part in text


def test_the_documentation_has_the_tables():
    written = table.DOCUMENT.read_text()
    missing = [language for language, rows in table.LANGUAGES.items() if f" -->\n{table.markdown(rows)}\n" not in written]
    assert missing == [], "run make lambda-tables, which writes runtimes/lambda.md"


def test_each_behaviour_is_in_its_table_once():
    for rows in table.LANGUAGES.values():
        assert len({row.behaviour for row in rows}) == len(rows)

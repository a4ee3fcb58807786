"""The handlers of tests/lambda/python.py do what its table says."""

import runpy
from pathlib import Path

import pytest

from conftest import ERROR, RESULT, invoke_frame
from entries import entries

ROWS = runpy.run_path(str(Path(__file__).parents[1] / "lambda/python.py"))["ROWS"]


@pytest.mark.parametrize("about, code, event, expected, log, on_lambda, here", ROWS, ids=[row[0] for row in ROWS])
def test_handler_does_what_the_table_says(ready, about, code, event, expected, log, on_lambda, here):
    agent = ready("python", code, log_levels=True)
    agent.send(invoke_frame({"input": event}))
    if isinstance(expected, tuple):
        error = agent.expect(ERROR)
        assert error["type"] == expected[0] and expected[1] in error["message"]
    else:
        assert agent.expect(RESULT) == expected
    texts = [text for _, text in entries(agent)]
    assert all(part in text for part, text in zip(log, texts)) and (len(texts) >= len(log) if log else texts == [])

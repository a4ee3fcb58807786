"""Python's logging is set up as on Lambda; each record is one entry of its level, once, in order with what is printed."""

import re

import pytest

from conftest import INVOCATION_ID
from entries import entries

LINE = re.compile(r"\[([\w ]+)\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t([0-9a-f-]*)\t(.*)", re.DOTALL)


@pytest.fixture
def logged(ready):
    """logged(code, **settings): the entries of an invocation; each line of logging as (level, its name, id, message)."""

    def run(code, **settings):
        agent = ready("python", code, **({"log_levels": True} | settings))
        agent.invoke()
        found = []
        for level, text in entries(agent):
            line = LINE.fullmatch(text)
            found.append((level, *line.groups()) if line else (level, text))
        return found

    return run


def test_each_record_is_one_entry_of_its_level_in_order_with_print(logged):
    code = """
import logging, sys
logger = logging.getLogger()
logger.setLevel(1)
def handler(event, context):
    logger.log(5, "trace")
    print("printed")
    logger.debug("debug")
    logger.info("info")
    print("to stderr", file=sys.stderr)
    print("half a line, ", end="")
    logger.warning("warning %d", 3)
    print("the other half")
    logging.getLogger("a.b").error("error")
    print("printed again")
    logger.critical("critical")
"""
    assert logged(code) == [
        ("trace", "Level 5", INVOCATION_ID, "trace"),
        ("info", "printed"),
        ("debug", "DEBUG", INVOCATION_ID, "debug"),
        ("info", "INFO", INVOCATION_ID, "info"),
        ("error", "to stderr"),
        ("info", "half a line, "),
        ("warning", "WARNING", INVOCATION_ID, "warning 3"),
        ("info", "the other half"),
        ("error", "ERROR", INVOCATION_ID, "error"),
        ("info", "printed again"),
        ("critical", "CRITICAL", INVOCATION_ID, "critical"),
    ]


def test_only_warnings_and_worse_are_logged_unless_the_function_says_otherwise(logged):
    code = """
import logging
def handler(event, context):
    logging.info("no")
    logging.warning("yes")
    logging.getLogger("a").debug("no")
    logging.getLogger("a").setLevel("INFO")
    logging.getLogger("a").info("its own level")
"""
    assert [entry[-1] for entry in logged(code)] == ["yes", "its own level"]


def test_record_of_several_lines_is_one_entry(logged):
    code = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    logging.info("one\\ntwo\\n")
    try: 1 / 0
    except ZeroDivisionError: logging.exception("three")
    print("four")
"""
    info, error, printed = logged(code)
    assert info == ("info", "INFO", INVOCATION_ID, "one\ntwo\n")
    assert error[:2] == ("error", "ERROR")
    assert error[3].startswith("three\nTraceback (most recent call last):\n") and error[3].endswith("ZeroDivisionError: division by zero")
    assert printed == ("info", "four")


def test_older_host_gets_no_marks_of_levels(ready):
    code = """
import logging
def handler(event, context):
    print("before")
    logging.warning("one\\ntwo")
    logging.error("three")
"""
    agent = ready("python", code)
    agent.invoke()
    assert b"berth:level" not in b"".join(agent.printed.values())
    levels, texts = zip(*entries(agent))
    assert levels == ("info", "info", "info", "error")
    assert [text.split("\t")[-1] for text in texts] == ["before", "one", "two", "three"]


def test_what_is_logged_while_loading_has_no_request(logged):
    code = """
import logging
logging.warning("loading")
def handler(event, context): logging.warning("running")
"""
    assert logged(code) == [("warning", "WARNING", "", "loading"), ("warning", "WARNING", INVOCATION_ID, "running")]


def test_each_invocation_is_named_in_its_lines(ready):
    agent = ready("python", "import logging\ndef handler(event, context): logging.error('x')")
    ids = [INVOCATION_ID, INVOCATION_ID.replace("7", "8")]
    agent.invoke()
    with pytest.raises(AssertionError):  # of the helper, which knows one id only
        agent.invoke(invocation_id=ids[1])
    assert [LINE.fullmatch(text)[2] for _, text in entries(agent)] == ids


SETUPS = {
    "basicConfig does nothing": (
        "logging.basicConfig(level=logging.INFO, format='mine %(message)s')",
        [("error", "ERROR", INVOCATION_ID, "error")],
    ),
    "basicConfig by force": (
        "logging.basicConfig(level=logging.INFO, format='mine %(message)s', stream=sys.stdout, force=True)",
        [("info", "mine info"), ("info", "mine error")],
    ),
    "dictConfig": (
        """logging.config.dictConfig({
    "version": 1,
    "formatters": {"mine": {"format": "mine %(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "mine", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["out"]},
})""",
        [("info", "mine INFO info"), ("info", "mine ERROR error")],
    ),
    "dictConfig of another logger": (
        'logging.config.dictConfig({"version": 1, "loggers": {"other": {"level": "DEBUG"}}})',
        [("error", "ERROR", INVOCATION_ID, "error")],
    ),
    "an own handler instead": (
        "root.handlers.clear(); root.addHandler(logging.StreamHandler()); root.setLevel('INFO')",
        [("error", "info"), ("error", "error")],
    ),
    "an own handler besides": (
        "root.addHandler(logging.StreamHandler(sys.stdout))",
        [("error", "ERROR", INVOCATION_ID, "error"), ("info", "error")],
    ),
    "a formatter without a line end": (
        "root.handlers[0].setFormatter(logging.Formatter('%(aws_request_id)s %(message)s')); root.setLevel('INFO')",
        [("info", f"{INVOCATION_ID} info"), ("error", f"{INVOCATION_ID} error")],
    ),
    "a filter": (
        "root.setLevel('INFO'); root.handlers[0].addFilter(lambda record: record.levelname == 'INFO')",
        [("info", "INFO", INVOCATION_ID, "info")],
    ),
    "stdout replaced": (
        "sys.stdout = io.StringIO()",
        [("error", "ERROR", INVOCATION_ID, "error")],
    ),
    "descriptor 1 replaced": (
        "os.dup2(os.open('/dev/null', os.O_WRONLY), 1); root.setLevel('INFO')",
        [("info", "INFO", INVOCATION_ID, "info"), ("error", "ERROR", INVOCATION_ID, "error")],
    ),
}


@pytest.mark.parametrize("setup", SETUPS)
def test_function_sets_up_logging_as_it_does_on_lambda(logged, setup):
    damage, expected = SETUPS[setup]
    code = f"""
import io, logging, logging.config, os, sys
root = logging.getLogger()
{damage}
def handler(event, context):
    root.debug("debug")
    root.info("info")
    root.error("error")
"""
    assert logged(code) == expected


def test_record_that_cannot_be_formatted_is_told_and_fails_nothing(logged):
    found = logged("import logging\ndef handler(event, context): logging.error('%d', 'text')")
    assert ("error", "--- Logging error ---") in found


def test_context_logs_a_line(logged):
    code = "def handler(event, context):\n context.log('one')\n context.log(2)\n context.log('three\\nfour')"
    assert logged(code) == [("info", "one"), ("info", "2"), ("info", "three\nfour")]


def test_files_that_are_only_named_like_logging_do_not_hide_it(ready):
    code = "import logging\ndef handler(event, context): logging.error('x')"
    agent = ready("python", {"main.py": code, "logging.json": "", "logging/data": "", "string.txt": ""})
    agent.invoke()
    assert [LINE.fullmatch(text)[3] for _, text in entries(agent)] == ["x"]


@pytest.mark.parametrize("name", ["logging", "traceback", "linecache", "tokenize", "token", "string", "textwrap"])
@pytest.mark.parametrize("form", ["{}.py", "{}/__init__.py"])
def test_module_of_the_function_goes_before_what_logging_has_imported(ready, name, form):
    files = {"main.py": f"from {name} import mine\ndef handler(e, c): return mine", form.format(name): "mine = 1"}
    agent = ready("python", files)
    assert agent.invoke() == 1

"""A Python function finds around it what AWS Lambda's runtime gives it, on every runtime."""

import re

import pytest
import requests

from support import RUNTIMES, check_problem

CODE = """
import decimal, logging, os, urllib.request

logging.warning("loading")
logger = logging.getLogger("mine")
logger.setLevel("INFO")

def handler(event, context):
    print("printed")
    logger.info("logged")
    if event == "connect":
        urllib.request.urlopen("http://192.0.2.1/", timeout=3)
    if event == "resolve":
        urllib.request.urlopen("http://name.example/", timeout=3)
    if event == "variable":
        os.environ["NOT_SET"]
    if event == "text":
        return "é" * 400
    return {
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "stream": context.log_stream_name,
        "name": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "trace": os.environ["_X_AMZN_TRACE_ID"],
        "decimal": decimal.Decimal("1.10"),
    }
"""


@pytest.fixture(scope="module", params=RUNTIMES)
def function(request, deploy_once):
    return deploy_once(CODE, runtime=request.param)


@pytest.fixture
def run(api, database, function):
    """run(event): the answer, its invocation's id, and the texts of its log."""

    def run(event):
        answer = api.execute(function, event)
        invocation = answer.headers["Berth-Invocation-Id"]
        database.metric(invocation)
        return answer, invocation, [line["text"] for line in api.get(f"/invocations/{invocation}/logs").json()["lines"]]

    return run


def test_it_finds_the_names_of_lambda_and_its_lines_have_its_id(function, run):
    answer, invocation, texts = run("names")
    assert '"decimal":1.10}' in answer.text
    names = answer.json()["output"]
    assert names["id"] == invocation
    assert re.fullmatch(rf"arn:aws:lambda:[a-z0-9-]+:\d{{12}}:function:{function['name']}:1", names["arn"])
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", names["stream"])
    assert names["name"] == function["name"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]", names["trace"])
    printed, logged = texts[-2:]
    assert printed == "printed"
    assert re.fullmatch(rf"\[INFO\]\t[0-9T:.-]+Z\t{invocation}\tlogged", logged)


def test_bytes_of_a_result_are_those_of_its_utf_8(run):
    assert len(run("text")[0].content) == len('{"output":}') + 802


def test_ten_thousand_levels_come_and_go(api, deploy):
    function = deploy("def handler(event, context):\n    return event\n")
    deep = "[" * 10_000 + "]" * 10_000
    answer = requests.post(  # Python's own parser refuses it
        f"{api.url}/execute/{function['name']}", data=f'{{"input":{deep}}}', headers={"Content-Type": "application/json"}, verify=api.ca, timeout=60
    )
    assert (answer.status_code, answer.text) == (200, f'{{"output":{deep}}}')


ADVICE = {
    "connect": ("URLError", "set its network to egress)"),
    "resolve": ("URLError", "set its network to egress)"),
    "variable": ("KeyError", "add it to the function's environment)"),
}


@pytest.mark.parametrize("event", ADVICE)
def test_error_says_what_to_do_and_its_place_is_in_the_log(run, event):
    kind, advice = ADVICE[event]
    answer, _, texts = run(event)
    error = check_problem(answer, 502, "function_error")["error"]
    assert error["type"] == kind and error["message"].endswith(advice)
    assert f"[ERROR] {kind}: {error['message']}" in "\n".join(texts)
    assert re.search(r'File "/berth/function/main\.py", line \d+, in handler\n    (urllib|os)\.', "\n".join(texts))

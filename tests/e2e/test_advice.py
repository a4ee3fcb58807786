"""What newcomers get wrong first is told with what to do about it, in each language on each runtime."""

import pytest
from support import check_problem

CODE = {
    "python": """
import os, urllib.request

async def save():
    raise ValueError("lost")

def handler(event, context):
    if event == "await":
        return {"saved": save()}
    if event == "variable":
        return os.environ["TABLE_NAME"].lower()
    if event == "name":
        return urllib.request.urlopen("https://www.example.com/").status
""",
    "javascript": """
const table = process.env.TABLE_NAME;

async function save() {
    throw new RangeError('lost');
}

exports.handler = async (event) => {
    if (event === 'await') {
        save();
        await new Promise((resolve) => setTimeout(resolve, 2000));
    }
    if (event === 'variable') return table.toLowerCase();
    if (event === 'name') return (await fetch('https://www.example.com/')).status;
};
""",
}
# What the message says; of a name it is what follows the error's own.
ADVICE = {
    "await": "(is an await missing?)",
    "variable": "is not set: add it to the function's environment)",
    "name": "(the function has no network: set its network to egress)",
}
CODES = {("python", "await"): "invalid_output"}


@pytest.fixture(scope="module", params=CODE)
def language(request):
    return request.param


@pytest.fixture(scope="module")
def function(deploy_once, language, runtime):
    return deploy_once(CODE[language], language, runtime=runtime)


@pytest.mark.parametrize("event", ADVICE)
def test_error_says_what_to_do_to_the_caller_in_the_record_and_in_the_log(api, database, function, language, event):
    answer = api.execute(function, event)
    problem = check_problem(answer, 502, CODES.get((language, event), "function_error"))
    assert ADVICE[event] in problem["error"]["message"]
    invocation = answer.headers["Berth-Invocation-Id"]
    assert database.metric(invocation)["error_message"] == problem["detail"]
    assert ADVICE[event] in "\n".join(line["text"] for line in api.get(f"/invocations/{invocation}/logs").json()["lines"])


def test_handler_file_that_is_not_there_is_refused_with_those_that_are(api, function, language):
    refused = check_problem(api.put(f"/functions/{function['id']}", json={"handler": "index.handler"}), 422, "invalid_function")
    (error,) = refused["errors"]
    file = {"python": "main.py", "javascript": "main.js"}[language]
    assert (error["field"], error["code"]) == ("handler", "handler_not_found")
    assert error["message"].endswith(f"; name one of the function's files: {file}")

"""What is around a JavaScript handler on Lambda: the context, the environment, the user."""

import os
import re
import time

import pytest

from conftest import INVOCATION_ID, REQUEST_ID, RUNTIMES

NAMED = {
    "id": "b0b3c1de-6d7c-4a7a-8b1c-5f0b8a1d2e3f", "name": "greet", "version": 7,
    "region": "eu-central-1", "account_id": "123456789012", "sandbox_id": "0123456789abcdef" * 2,
}  # fmt: skip
CONTEXT = """
exports.handler = async (event, context) => {
    const absent = ['identity', 'clientContext'].every((name) => name in context && context[name] === undefined);
    return { ...context, absent, keys: Object.keys(context), functions: ['done', 'succeed', 'fail'].map((name) => typeof context[name]) };
};
"""


def test_context_is_that_of_lambda(ready):
    day = time.strftime("%Y/%m/%d", time.gmtime())
    context = ready("javascript", CONTEXT, function=NAMED).invoke()
    assert context["awsRequestId"] == context["invocationId"] == INVOCATION_ID
    assert context["requestId"] == REQUEST_ID
    assert context["invokedFunctionArn"] == "arn:aws:lambda:eu-central-1:123456789012:function:greet:7"
    assert context["logGroupName"] == "/aws/lambda/greet"
    assert context["logStreamName"] in (
        f"{day}/[7]{NAMED['sandbox_id']}",
        f"{time.strftime('%Y/%m/%d', time.gmtime())}/[7]{NAMED['sandbox_id']}",
    )
    assert context["callbackWaitsForEmptyEventLoop"] is True and context["absent"]
    assert context["functions"] == ["function"] * 3


def test_context_of_an_older_host_has_harmless_defaults(ready):
    context = ready("javascript", CONTEXT).invoke()
    assert context["invokedFunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:greet:7"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", context["logStreamName"])


def test_environment_is_that_of_lambda(ready, tmp_path):
    code = "exports.handler = async () => [{ ...process.env }, require('node:module').globalPaths, new Date(0).getHours()];"
    agent = ready("javascript", code, function=NAMED, environment={"AWS_REGION": "mine", "LANG": "de_DE.UTF-8"})
    environment, paths, hours = agent.invoke()
    major = agent.hello["version"].split(".")[0]
    layers = [f"/opt/nodejs/node{major}/node_modules", "/opt/nodejs/node_modules"]
    assert environment.items() >= {
        "AWS_LAMBDA_FUNCTION_NAME": "greet",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/greet",
        "AWS_REGION": "mine",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_nodejs{major}.x",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "LAMBDA_RUNTIME_DIR": str(RUNTIMES / "javascript"),
        "_HANDLER": "main.handler",
        "TZ": ":UTC",
        "LANG": "de_DE.UTF-8",
        "NODE_PATH": ":".join(layers),
    }.items()
    assert environment["AWS_LAMBDA_LOG_STREAM_NAME"].endswith("/[7]" + NAMED["sandbox_id"])
    assert paths[:2] == layers
    assert hours == 0


def test_the_trace_is_in_the_environment(ready):
    agent = ready("javascript", "exports.handler = async () => process.env._X_AMZN_TRACE_ID ?? null;")
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    root = "Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331"
    assert agent.invoke() is None
    assert agent.invoke(traceparent=f"00-{trace}-{span}-01") == f"{root};Sampled=1"
    assert agent.invoke(traceparent=f"00-{trace}-{span}-00") == f"{root};Sampled=0"
    assert agent.invoke() is None


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_the_user_has_a_name_even_if_it_is_not_in_passwd(ready):
    code = "const { userInfo } = require('node:os');\nprocess.setgid(54321); process.setuid(54321);\nexports.handler = async () => userInfo();"
    for name, text in (("main.js", code), ("main.mjs", code.replace("const { userInfo } = require('node:os')", "import { userInfo } from 'node:os'"))):
        text = text.replace("exports.handler =", "export const handler =") if name == "main.mjs" else text
        user = ready("javascript", {f"{name[5:]}/{name}": text}, handler=f"{name[5:]}/main.handler").invoke()
        assert (user["uid"], user["gid"], user["username"]) == (54321, 54321, "sandbox")

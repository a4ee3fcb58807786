"""What a Python function finds around it as on Lambda: names in its context, environment variables, paths."""

import os
import re
import time

import pytest

from conftest import INVOCATION_ID, RUNTIMES

FUNCTION = {"id": "b0b3c1de-6d7c-4a7a-8b1c-5f0b8a1d2e3f", "name": "greet", "version": 7}
SANDBOX = "0123456789abcdef" * 2

CONTEXT = """
def handler(event, context):
    return {name: getattr(context, name) for name in (
        "invoked_function_arn", "log_group_name", "log_stream_name", "memory_limit_in_mb", "aws_request_id",
        "client_context", "tenant_id")} | {
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]}
"""

ENVIRONMENT = "import os\nSEEN = dict(os.environ)\ndef handler(event, context): return SEEN"


def today():
    return time.strftime("%Y/%m/%d", time.gmtime())


def test_context_has_the_names_of_lambda(ready):
    before = today()
    function = FUNCTION | {"region": "eu-north-1", "account_id": "123456789012", "sandbox_id": SANDBOX}
    context = ready("python", CONTEXT, function=function).invoke()
    assert context.pop("log_stream_name") in (f"{day}/[7]{SANDBOX}" for day in (before, today()))
    assert context == {
        "invoked_function_arn": "arn:aws:lambda:eu-north-1:123456789012:function:greet:7",
        "log_group_name": "/aws/lambda/greet",
        "memory_limit_in_mb": "128",
        "aws_request_id": INVOCATION_ID,
        "client_context": None,
        "tenant_id": None,
        "identity": [None, None],
    }


@pytest.mark.parametrize("function", [FUNCTION, FUNCTION | {"sandbox_id": "not-of-the-form"}])
def test_names_have_defaults(ready, function):
    context = ready("python", CONTEXT, function=function).invoke()
    assert context["invoked_function_arn"] == "arn:aws:lambda:us-east-1:000000000000:function:greet:7"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", context["log_stream_name"])


def test_environment_is_that_of_lambda_before_the_module_is_loaded(ready, tmp_path):
    function = FUNCTION | {"region": "eu-north-1", "sandbox_id": SANDBOX}
    agent = ready("python", ENVIRONMENT, function=function)
    seen = agent.invoke()
    seen.pop("LC_CTYPE", None)  # the interpreter's own
    version = ".".join(agent.hello["version"].split(".")[:2])
    assert re.fullmatch(rf"\d{{4}}/\d\d/\d\d/\[7\]{SANDBOX}", seen.pop("AWS_LAMBDA_LOG_STREAM_NAME"))
    assert seen == {
        "PATH": seen["PATH"],
        "BERTH_FUNCTION_DIR": str(tmp_path),
        "AWS_LAMBDA_FUNCTION_NAME": "greet",
        "AWS_LAMBDA_FUNCTION_VERSION": "7",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/greet",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version}",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "LAMBDA_RUNTIME_DIR": str(RUNTIMES / "python"),
        "_HANDLER": "main.handler",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
    }


def test_functions_own_environment_wins(ready):
    own = {"AWS_REGION": "mars-1", "TZ": "Europe/Paris", "LANG": "de", "OWN": "x"}
    seen = ready("python", ENVIRONMENT, environment=own).invoke()
    assert {name: seen[name] for name in own} == own and seen["AWS_DEFAULT_REGION"] == "us-east-1"


@pytest.mark.parametrize("flags, sampled", [("01", 1), ("00", 0), ("03", 1), ("0a", 0)])
def test_trace_is_named_in_each_invocation(ready, flags, sampled):
    code = "import os, subprocess\ndef handler(e, c): return subprocess.getoutput('printenv _X_AMZN_TRACE_ID')"
    agent = ready("python", code)
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    expected = f"Root=1-0af76519-16cd43dd8448eb211c80319c;Parent={span};Sampled={sampled}"
    assert agent.invoke(traceparent=f"00-{trace}-{span}-{flags}") == expected
    assert agent.invoke() == ""


def test_python_path_is_searched_after_the_functions_directory(ready, tmp_path):
    code = "import sys\ndef handler(e, c): return sys.path[:3]"
    agent = ready("python", code, environment={"PYTHONPATH": f"{tmp_path}/a::{tmp_path}/b"})
    assert agent.invoke() == [str(tmp_path), f"{tmp_path}/a", f"{tmp_path}/b"]


@pytest.mark.skipif(os.getuid() != 0, reason="mounts")
def test_task_root_is_lambdas_where_it_leads_to_the_function(ready, tmp_path):
    script = f'mount -t tmpfs none /var && ln -s "{tmp_path}" /var/task && exec "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    assert ready("python", ENVIRONMENT, prefix=prefix).invoke()["LAMBDA_TASK_ROOT"] == "/var/task"
    prefix[4] = script.replace(str(tmp_path), "/tmp")
    assert ready("python", ENVIRONMENT, prefix=prefix).invoke()["LAMBDA_TASK_ROOT"] == str(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts")
def test_layers_are_searched_after_the_functions_directory(ready, tmp_path):
    files = {"main.py": "import sys, layered, own\ndef handler(e, c): return [layered.X, own.X, sys.path[:2]]", "own.py": "X = 'own'"}
    script = "mount -t tmpfs none /opt && mkdir /opt/python && cd /opt/python && echo X=1 >layered.py && cp layered.py own.py"
    prefix = ["unshare", "--mount", "sh", "-c", f'({script}) && exec "$@"', "sh"]
    assert ready("python", files, prefix=prefix).invoke() == [1, "own", [str(tmp_path), "/opt/python"]]

"""What Lambda's functions find around the handler: the context, and variables in the environment."""

import os
import re
import sys
import time

from .log import LOG_INFO, log

TASK_ROOT = "/var/task"  # where Lambda has the function's files
RUNTIME_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

environ = os.environ
monotonic = time.monotonic
is_stream_id = re.compile("[0-9a-f]{32}").fullmatch


class Identity:
    """The caller, for functions that are called through Amazon Cognito: nobody."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class Context:
    """A handler's second argument: one object per invocation; values that are the same for all invocations are in the class."""

    function_name = None
    function_version = None
    memory_limit_in_mb = None
    invoked_function_arn = None
    log_group_name = None
    log_stream_name = None
    identity = Identity()
    client_context = None
    tenant_id = None

    def __init__(self, meta, id_, parameters, deadline):
        self.aws_request_id = id_
        self.request_id = meta["request_id"]
        self.invocation_id = meta.get("invocation_id")
        self.traceparent = meta.get("traceparent")
        self.parameters = parameters
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - monotonic()) * 1000))

    def log(self, message):
        log(LOG_INFO, str(message))


def set_environment(settings, directory):
    """Gives the function what Lambda's have: in Context, and in environment variables, which its own ones replace."""
    function, handler = settings["function"], settings["handler"]
    region = function.get("region", "us-east-1")
    account = function.get("account_id", "000000000000")
    sandbox = function.get("sandbox_id", "")
    if not is_stream_id(sandbox):
        sandbox = os.urandom(16).hex()
    name, version = function["name"], str(function["version"])
    Context.function_name = name
    Context.function_version = version
    Context.memory_limit_in_mb = str(settings["limits"]["memory_limit_mb"])
    Context.invoked_function_arn = f"arn:aws:lambda:{region}:{account}:function:{name}:{version}"
    Context.log_group_name = f"/aws/lambda/{name}"
    Context.log_stream_name = time.strftime(f"%Y/%m/%d/[{version}]{sandbox}", time.gmtime())
    environ.update(
        {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": Context.memory_limit_in_mb,
            "AWS_LAMBDA_LOG_GROUP_NAME": Context.log_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": Context.log_stream_name,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python%d.%d" % sys.version_info[:2],
            "LAMBDA_TASK_ROOT": TASK_ROOT if is_same(TASK_ROOT, directory) else directory,
            "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
            "_HANDLER": handler,
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
        }
        | settings["environment"]
    )
    time.tzset()


def is_same(path, directory):
    try:
        return os.path.samefile(path, directory)
    except OSError:  # there is no such path
        return False

def set_trace(traceparent):
    """Names the invocation's trace as AWS X-Ray does."""
    if traceparent and len(traceparent) >= 55:
        sampled = 1 if traceparent[54] in "13579bdf" else 0
        environ["_X_AMZN_TRACE_ID"] = f"Root=1-{traceparent[3:11]}-{traceparent[11:35]};Parent={traceparent[36:52]};Sampled={sampled}"
    elif "_X_AMZN_TRACE_ID" in environ:
        del environ["_X_AMZN_TRACE_ID"]

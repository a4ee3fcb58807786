"""A JavaScript function finds around it what AWS Lambda's runtime gives it, on every runtime."""

import re

import pytest
from support import RUNTIMES, check_problem

CODE = """
const os = require('os');
const vm = require('vm');

const WAYS = {
    callback: (event, context, done) => setTimeout(() => done(null, 'called back'), 5),
    'callback with an error': (event, context, done) => setTimeout(() => done(new RangeError('no')), 5),
    succeed: (event, context) => { setTimeout(() => context.succeed('succeeded'), 5); },
    'work that is left': (event, context, done) => { setTimeout(() => console.log('left'), 50); done(null, 'waited for it'); },
    nothing: () => undefined,
    never: () => new Promise(() => {}),
    thenable: () => ({ then: (resolve) => { setTimeout(resolve, 5, 'waited for'); } }),
    value: () => ({ a: [1] }),
    'another realm': () => vm.runInNewContext("throw new RangeError('elsewhere')"),
    object: () => { throw { name: 'Custom', message: 'made by hand', stack: 'Custom: made by hand' }; },
    names: (event, context) => ({
        id: context.awsRequestId, arn: context.invokedFunctionArn, name: process.env.AWS_LAMBDA_FUNCTION_NAME,
        stream: context.logStreamName, user: os.userInfo().username, handler: process.env._HANDLER,
    }),
    console: () => {
        console.debug('fine');
        console.info('of\\nseveral lines');
        console.warn('beware');
        console.error('wrong');
        console.trace('here');
        return null;
    },
};

exports.handler = (...args) => WAYS[args[0]](...args);
"""
ANSWERS = {
    "callback": "called back",
    "succeed": "succeeded",
    "work that is left": "waited for it",
    "nothing": None,
    "thenable": "waited for",
    "value": {"a": [1]},
}
ERRORS = {
    "callback with an error": ("RangeError", "no"),
    "never": ("NeverSettled", "nothing can settle"),
    "another realm": ("RangeError", "elsewhere"),
    "object": ("Custom", "made by hand"),
}


@pytest.fixture(scope="module", params=RUNTIMES)
def function(request, deploy_once):
    return deploy_once(CODE, "javascript", runtime=request.param, handler="index.handler", timeout_ms=20000)


@pytest.fixture
def run(api, database, function):
    """run(event): the answer, and the lines of its log."""

    def run(event):
        answer = api.execute(function, event)
        invocation = answer.headers["Berth-Invocation-Id"]
        row = database.metric(invocation)
        return answer, row, api.get(f"/invocations/{invocation}/logs").json()["lines"]

    return run


@pytest.mark.parametrize("way", ANSWERS)
def test_each_way_to_answer_is_one(run, way):
    answer, row, lines = run(way)
    assert answer.json() == {"output": ANSWERS[way]}
    assert row["exec_ms"] < 8000
    assert [line["text"] for line in lines] == (["left"] if way == "work that is left" else [])


@pytest.mark.parametrize("way", ERRORS)
def test_each_way_to_fail_is_told_at_once_with_its_place_in_the_log(run, way):
    answer, row, lines = run(way)
    error = check_problem(answer, 502, "function_error")["error"]
    kind, message = ERRORS[way]
    assert error["type"] == kind and message in error["message"]
    assert row["exec_ms"] < 8000
    assert f'"errorType":"{kind}"' in lines[0]["text"] and lines[0]["level"] == "error"


def test_it_finds_the_names_of_lambda(function, run):
    answer, row, _ = run("names")
    names = answer.json()["output"]
    assert names["id"] == row["metric_id"]
    assert re.fullmatch(rf"arn:aws:lambda:[a-z0-9-]+:\d{{12}}:function:{function['name']}:1", names["arn"])
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[1\][0-9a-f]{32}", names["stream"])
    assert (names["name"], names["user"], names["handler"]) == (function["name"], "sandbox", "index.handler")


def test_levels_of_console_are_kept_and_several_lines_are_one_entry(run):
    lines = run("console")[2]
    found = [(line["level"], line["text"].split("\n    at ")[0]) for line in lines]
    assert found == [
        ("debug", "fine"), ("info", "of\nseveral lines"), ("warning", "beware"), ("error", "wrong"), ("trace", "Trace: here"),
    ]  # fmt: skip


def test_work_is_not_waited_for_if_the_function_says_so(api, database, deploy, runtime):
    code = """
exports.handler = (event, context, done) => {
    context.callbackWaitsForEmptyEventLoop = false;
    setTimeout(() => {}, 15000);
    done(null, 'at once');
};
"""
    answer = api.execute(deploy(code, "javascript", runtime=runtime, timeout_ms=20000))
    assert answer.json() == {"output": "at once"}
    assert database.metric(answer.headers["Berth-Invocation-Id"])["exec_ms"] < 8000


STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'Content-Type': 'text/plain' } });
    stream.write('in ');
    stream.end('parts');
});
"""
MODULE = """
import path from 'node:path';
const __dirname = path.dirname(new URL(import.meta.url).pathname);
export const handler = async () => __dirname;
"""


def test_a_streaming_handler_is_sent_as_a_whole(api, deploy, runtime):
    output = api.output(deploy(STREAMING, "javascript", runtime=runtime))
    assert output == {"statusCode": 201, "headers": {"Content-Type": "text/plain"}, "body": "in parts", "isBase64Encoded": False}


def test_code_that_is_a_module_only_runs(api, deploy, runtime):
    assert api.output(deploy(MODULE, "javascript", runtime=runtime)) == "/berth/function"


def test_who_tampers_with_prototypes_harms_only_its_own_answers(api, deploy, runtime):
    code = """
exports.handler = async (event) => {
    Object.prototype.toJSON = () => { throw new Error('tampered'); };
    if (event) throw new RangeError('on purpose');
    return { a: 1 };
};
"""
    function = deploy(code, "javascript", runtime=runtime)
    check_problem(api.execute(function), 502, "invalid_output")
    error = check_problem(api.execute(function, 1), 502, "function_error")["error"]
    assert (error["type"], error["message"]) == ("RangeError", "on purpose")

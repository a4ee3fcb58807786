"""Each version of each language runs what functions usually need; one that cannot be had is refused, with what to do."""

import os
import subprocess
import time

import pytest
from support import LANGUAGES, check_problem, unique, wait_for

NOTICED_S = 40  # Docker is asked every ten
VERSIONS = [(name, one["version"]) for name, language in LANGUAGES.items() for one in language["versions"]]
PYTHON = """
import asyncio, bz2, ctypes, decimal, hashlib, json, logging, lzma, multiprocessing, platform, pwd, sqlite3, ssl, sys, threading
import tempfile, unittest, urllib.request, uuid, xml.etree.ElementTree, zlib, zoneinfo, os
for name in ("distutils.version", "ensurepip", "lib2to3.refactor"):
    if name.partition(".")[0] in sys.stdlib_module_names:
        __import__(name)

def handler(event, context):
    logging.getLogger().warning("logged %s", event)
    print("printed")
    database = sqlite3.connect(tempfile.mkdtemp() + "/db")
    assert database.execute("select 1").fetchone() == (1,)
    assert ssl.create_default_context().get_ca_certs()
    assert zoneinfo.ZoneInfo("Europe/Berlin") and pwd.getpwuid(os.getuid()).pw_name == "sandbox"
    return [platform.python_version(), asyncio.run(asyncio.sleep(0, event)), os.environ["AWS_EXECUTION_ENV"]]
"""
JAVASCRIPT = """
for (const name of ['assert', 'async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'events', 'fs', 'http', 'http2', 'https', 'net', 'os',
    'path', 'perf_hooks', 'querystring', 'readline', 'stream', 'timers', 'tls', 'url', 'util', 'vm', 'worker_threads', 'zlib'])
    if (require(name) !== require(`node:${name}`)) throw new Error(name);

exports.handler = async (event) => {
    const { randomUUID } = await import('node:crypto');
    console.warn('logged', event);
    console.log('printed');
    require('fs').writeFileSync('/tmp/file', randomUUID());
    if (typeof fetch !== 'function' || require('os').userInfo().username !== 'sandbox') throw new Error('missing');
    return [process.versions.node, structuredClone(event), process.env.AWS_EXECUTION_ENV];
};
"""
CODE = {"python": PYTHON, "javascript": JAVASCRIPT}
ENVIRONMENT = {"python": "AWS_Lambda_python{}", "javascript": "AWS_Lambda_nodejs{}.x"}
ECHO = {"python": "def handler(event, context):\n    return event\n", "javascript": "exports.handler = async (event) => event;\n"}


def trial(api, language, version):
    """The status of a deployment on that version."""
    body = {"name": unique("trial"), "language": language, "language_version": version, "code": ECHO[language]}
    answer = api.post("/functions", json=body)
    if answer.status_code == 201:
        api.delete_for_sure(f"/functions/{answer.json()['id']}")
    return answer.status_code


@pytest.fixture(scope="module", autouse=True)
def images(stack, api):
    """Those of all versions, made as an operator makes them; Berth notices by itself."""
    subprocess.run([f"{os.path.dirname(stack.script)}/images", "--all"], check=True)
    for language, version in VERSIONS:
        wait_for("the image to be noticed", lambda: trial(api, language, version) == 201, NOTICED_S)  # noqa: B023


@pytest.mark.parametrize("language, version", VERSIONS)
def test_a_function_runs_on_the_version_it_names(api, database, deploy, runtime, language, version):
    function = deploy(CODE[language], language, language_version=version, runtime=runtime, memory_limit_mb=256, timeout_ms=20000)
    assert function["language_version"] == version
    warnings = {warning["code"] for warning in function.get("warnings", [])}
    ends = next(one["end_of_life"] for one in LANGUAGES[language]["versions"] if one["version"] == version)
    assert warnings == ({"end_of_life"} if ends < time.strftime("%Y-%m-%d", time.gmtime()) else set())
    for event in ("first", "warm"):
        answer = api.execute(function, event)
        assert answer.status_code == 200, answer.text
        found, echo, environment = answer.json()["output"]
        assert (found + ".").startswith(version + ".") and echo == event
        assert environment == ENVIRONMENT[language].format(version)
    invocation = answer.headers["Berth-Invocation-Id"]
    wait_for("its record", lambda: api.get(f"/invocations/{invocation}").status_code == 200)
    lines = {line["text"]: line["level"] for line in api.get(f"/invocations/{invocation}/logs").json()["lines"]}
    assert lines.pop("printed") == "info"
    [(text, level)] = lines.items()
    assert "logged warm" in text and level == "warning"


@pytest.mark.parametrize("language, version", VERSIONS)
def test_the_least_memory_is_enough_for_each(api, deploy, language, version):
    least_mb = LANGUAGES[language]["min_memory_mb"]
    function = deploy(ECHO[language], language, language_version=version, runtime="docker", memory_limit_mb=least_mb)
    assert [api.output(function, n) for n in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_keeps_the_version_it_was_deployed_with(api, deploy, language):
    default, other = LANGUAGES[language]["default_version"], LANGUAGES[language]["versions"][0]["version"]
    function = deploy(ECHO[language], language, language_version=other)
    change = api.put(f"/functions/{function['id']}", json={"timeout_ms": 2000, "code": ECHO[language]})
    assert change.json()["language_version"] == other
    change = api.put(f"/functions/{function['id']}", json={"language_version": default})
    assert change.json()["language_version"] == default
    assert api.output(function, 1) == 1
    item = next(f for f in api.get("/functions?limit=200").json()["items"] if f["id"] == function["id"])
    assert item["language_version"] == default
    assert deploy(ECHO[language], language)["language_version"] == default


def test_a_change_of_language_changes_the_version(api, deploy):
    function = deploy(ECHO["python"])
    change = api.put(f"/functions/{function['id']}", json={"language": "javascript", "code": ECHO["javascript"]})
    assert change.json()["language_version"] == LANGUAGES["javascript"]["default_version"]


@pytest.mark.parametrize("version, code", [("2.7", "invalid_value"), ("", "out_of_range"), (3.13, "wrong_type")])
def test_a_version_that_is_not_there_is_refused(api, version, code):
    body = {"name": unique("refused"), "language": "python", "language_version": version, "code": ECHO["python"]}
    problem = check_problem(api.post("/functions", json=body), 422, "invalid_function")
    [error] = problem["errors"]
    assert (error["field"], error["code"]) == ("language_version", code)
    if code == "invalid_value":
        assert all(one["version"] in error["message"] for one in LANGUAGES["python"]["versions"])


def test_the_versions_and_their_ends_are_told(api):
    languages = api.get("/limits").json()["languages"]
    assert set(languages) == set(LANGUAGES)
    for name, told in languages.items():
        assert told["default_version"] == LANGUAGES[name]["default_version"]
        assert told["versions"] == [{k: v[k] for k in ("version", "end_of_life")} for v in LANGUAGES[name]["versions"]]

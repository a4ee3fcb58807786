"""Functions are deployed, read, changed and deleted; what is not right is refused by its own code, and nothing is stored."""

import concurrent.futures
import json
import uuid

import pytest
from support import check_problem, unique

PYTHON = "def handler(event, context):\n    return event\n"
JAVASCRIPT = "exports.handler = async (event) => event;\n"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def function(deploy_once):
    return deploy_once(PYTHON)


@pytest.fixture
def unchanged(database):
    """Whatever the test sends, as many functions, versions and packages are stored afterwards as before."""
    before = database.counts()
    yield
    assert database.counts() == before


def valid(**fields):
    """A body that would be accepted, changed by fields; None takes one away."""
    body = {"name": unique("refused"), "language": "python", "code": PYTHON} | fields
    return {name: value for name, value in body.items() if value is not None}


# What is right


SECRETIVE = "import os\n\ndef handler(event, context):\n    return [os.environ['A'], os.environ['API_TOKEN']]\n"


def test_secrets_are_shown_to_nobody_and_stay_when_what_was_read_is_sent_back(api, deploy):
    function = deploy(SECRETIVE, environment={"A": "1", "API_TOKEN": "correct horse"})
    path = f"/functions/{function['id']}"
    assert function["environment"] == {"A": "1", "API_TOKEN": "***"}
    read = api.get(path).json()["environment"]
    assert read == {"A": "1", "API_TOKEN": "***"}
    changed = api.put(path, json={"environment": read | {"A": "2"}})
    assert changed.status_code == 200 and changed.json()["environment"] == {"A": "2", "API_TOKEN": "***"}
    assert api.output(function) == ["2", "correct horse"]
    copy = api.post("/functions", json={"name": unique("copy"), "from": function["id"]}).json()
    try:
        assert api.output(copy) == ["2", "correct horse"]
        listed = api.get("/functions?limit=200")
        assert "correct horse" not in listed.text
        assert listed.json()["items"] and all("environment" not in one for one in listed.json()["items"])
    finally:
        api.delete_for_sure(f"/functions/{copy['id']}")


def test_a_description_is_kept_changed_copied_and_listed(api, deploy):
    said = "Says hello.\nAsk *us* about it: Köln, \U0001f600, \"quoted\" \\ <b>"
    function = deploy(PYTHON, description=said)
    path = f"/functions/{function['id']}"
    assert function["description"] == said and api.get(path).json()["description"] == said
    copy = api.post("/functions", json={"name": unique("copy"), "from": function["id"]}).json()
    try:
        assert copy["description"] == said
        changed = api.put(path, json={"description": "x" * 512}).json()
        assert (changed["description"], changed["version"]) == ("x" * 512, 2)
        assert api.put(path, json={"timeout_ms": 1234}).json()["description"] == "x" * 512
        listed = {one["id"]: one["description"] for one in api.get("/functions?limit=200").json()["items"]}
        assert (listed[function["id"]], listed[copy["id"]]) == ("x" * 512, said)
        assert api.output(function, "input") == api.output(copy, "input") == "input"
        assert api.put(path, json={"description": ""}).json()["description"] == ""
    finally:
        api.delete_for_sure(f"/functions/{copy['id']}")


@pytest.mark.parametrize("description, code", [("x" * 513, "too_large"), ("ä" * 257, "too_large"), ("a\0", "invalid_value"), (7, "wrong_type")])
def test_a_description_that_is_too_long_or_no_text_is_refused(api, unchanged, description, code):
    assert errors_of(api.post("/functions", json=valid(description=description)))["description"]["code"] == code


def test_a_copy_has_the_code_and_settings_of_its_source_but_for_what_is_given(api, deploy):
    source = deploy("def handler(event, context):\n    return [event, context.function_name]\n", timeout_ms=1234, environment={"A": "b"})
    name = unique("copy")
    answer = api.post("/functions", json={"name": name, "from": source["name"], "memory_limit_mb": 192})
    assert answer.status_code == 201, answer.text
    copy = answer.json()
    try:
        own = ("id", "name", "memory_limit_mb", "created_at", "updated_at", "limits")
        assert {k: v for k, v in copy.items() if k not in own} == {k: v for k, v in source.items() if k not in own}
        assert (copy["name"], copy["memory_limit_mb"]) == (name, 192) and copy["id"] != source["id"]
        assert api.delete(f"/functions/{source['id']}").status_code == 204
        assert api.output(copy, 1) == [1, name]
    finally:
        api.delete_for_sure(f"/functions/{copy['id']}")


@pytest.mark.parametrize(
    "fields, field, code",
    [
        ({"from": "nobody-has-this-name"}, "from", "not_found"),
        ({"from": 7}, "from", "wrong_type"),
        ({"from": None, "name": None}, "name", "required"),
        ({"from": None, "language": "javascript"}, "code", "required"),
    ],
)
def test_a_copy_of_nothing_or_without_a_name_or_in_another_language_is_refused(api, function, unchanged, fields, field, code):
    body = {"name": unique("copy"), "from": function["id"]} | {k: v for k, v in fields.items() if v is not None}
    if "name" in fields:
        del body["name"]
    problem = check_problem(api.post("/functions", json=body), 422, "invalid_function")
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [(field, code)]


def test_a_copy_under_a_name_that_is_taken_is_refused(api, function, unchanged):
    check_problem(api.post("/functions", json={"name": function["name"], "from": function["id"]}), 409, "name_taken")


def test_a_deployed_function_is_answered_with_all_its_settings(api, deploy):
    name = unique("settings")
    answer = api.post(
        "/functions",
        json={"name": name, "language": "python", "code": PYTHON, "timeout_ms": 1500, "environment": {"A": "b"}},
    )
    function = answer.json()
    try:
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/functions/{function['id']}"
        assert answer.headers["ETag"] == '"1"'
        assert uuid.UUID(function["id"])
        assert function.items() >= {
            "name": name,
            "version": 1,
            "language": "python",
            "runtime": "docker",
            "handler": "main.handler",
            "description": "",
            "environment": {"A": "b"},
            "timeout_ms": 1500,
            "init_timeout_ms": 10000,
            "memory_limit_mb": 128,
            "cpus": 1.0,
            "tmp_mb": 64,
            "tmp_inodes": 16384,
            "pids": 64,
            "nofile": 1024,
            "response_bytes": 6291456,
            "log_bytes": 262144,
            "network": "none",
            "isolation": "per_function",
            "max_concurrency": 50,
            "min_warm": 0,
            "status": "active",
        }.items()
        assert function["created_at"] == function["updated_at"]
        assert function["limits"]["request_bytes"] == 6291456
        assert "code" not in function
    finally:
        api.delete_for_sure(f"/functions/{function['id']}")


def test_a_deployment_is_in_the_database(database, function):
    (stored,) = database.rows(
        "select f.name, f.version, f.status, v.language, v.handler, v.timeout_ms, p.sha256, p.size > 0 as has_archive"
        " from functions f join function_versions v using (function_id, version) join packages p on p.sha256 = v.package_sha256"
        " where function_id = :'id'",
        id=function["id"],
    )
    assert stored == {
        "name": function["name"],
        "version": 1,
        "status": "active",
        "language": "python",
        "handler": "main.handler",
        "timeout_ms": 3000,
        "sha256": function["package_sha256"],
        "has_archive": True,
    }


def test_a_function_is_found_by_its_id_and_by_its_name(api, function):
    by_id = api.get(f"/functions/{function['id']}")
    by_name = api.get(f"/functions/{function['name']}")
    assert by_id.status_code == by_name.status_code == 200
    assert by_id.json() == by_name.json()
    assert by_id.json()["id"] == function["id"]
    assert by_id.headers["ETag"] == '"1"'
    assert api.output(function["id"], "by id") == "by id"


def test_the_list_goes_on_where_its_cursor_says(api, deploy):
    mine = {deploy(PYTHON)["id"] for _ in range(3)}
    seen, path = [], "/functions?limit=2"
    while path:
        page = api.get(path).json()
        assert len(page["items"]) <= 2
        seen += [f["id"] for f in page["items"]]
        assert (page["next"] is None) or len(page["items"]) == 2
        path = page["next"] and f"/functions?limit=2&cursor={page['next']}"
    assert len(seen) == len(set(seen))
    assert mine <= set(seen)
    assert set(seen) == {f["id"] for f in api.get("/functions?limit=200").json()["items"]}


def test_put_makes_a_new_version_and_keeps_what_it_does_not_name(api, database, deploy):
    function = deploy(PYTHON, environment={"A": "1"}, timeout_ms=2000)
    answer = api.put(f"/functions/{function['id']}", json={"timeout_ms": 2500})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    changed = answer.json()
    assert (changed["version"], changed["timeout_ms"], changed["environment"]) == (2, 2500, {"A": "1"})
    assert changed["package_sha256"] == function["package_sha256"]
    assert changed["updated_at"] > changed["created_at"]
    versions = database.rows(
        "select version, timeout_ms from function_versions where function_id = :'id' order by version", id=function["id"]
    )
    assert versions == [{"version": 1, "timeout_ms": 2000}, {"version": 2, "timeout_ms": 2500}]


def test_put_can_change_the_name_and_frees_the_old_one(api, deploy):
    function = deploy(PYTHON)
    new_name = unique("renamed")
    assert api.output(function["name"], 1) == 1
    assert api.put(f"/functions/{function['name']}", json={"name": new_name}).status_code == 200
    assert api.output(new_name, 2) == 2
    check_problem(api.get(f"/functions/{function['name']}"), 404, "not_found")
    check_problem(api.execute(function["name"]), 404, "not_found")
    other = deploy(PYTHON, name=function["name"])
    assert other["id"] != function["id"]


def test_put_can_change_the_language_with_its_code(api, deploy):
    function = deploy(PYTHON)
    changed = api.put(f"/functions/{function['id']}", json={"language": "javascript", "code": JAVASCRIPT})
    assert changed.status_code == 200, changed.text
    assert api.output(function, "now in JavaScript") == "now in JavaScript"


def test_if_match_lets_only_the_current_version_be_changed(api, database, deploy):
    function = deploy(PYTHON)
    path = f"/functions/{function['id']}"
    assert api.put(path, json={"timeout_ms": 1000}, headers={"If-Match": '"1"'}).status_code == 200
    before = database.counts()
    for tag in ('"1"', '"3"', "2", "garbage", 'W/"2"'):
        check_problem(api.put(path, json={"timeout_ms": 900}, headers={"If-Match": tag}), 412, "version_mismatch")
        check_problem(api.delete(path, headers={"If-Match": tag}), 412, "version_mismatch")
    assert database.counts() == before
    assert api.get(path).json()["timeout_ms"] == 1000
    assert api.put(path, json={"timeout_ms": 800}, headers={"If-Match": "*"}).status_code == 200
    assert api.delete(path, headers={"If-Match": '"3"'}).status_code == 204


def test_eight_changes_at_once_all_succeed_in_some_order(api, deploy):
    function = deploy(PYTHON)
    path = f"/functions/{function['id']}"
    changes = [{"environment": {"WHO": str(i)}, "timeout_ms": 1000 + i} for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(len(changes)) as pool:
        answers = list(pool.map(lambda change: api.put(path, json=change), changes))
    assert [answer.status_code for answer in answers] == [200] * len(changes), [answer.text for answer in answers]
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 10))
    last = max(answers, key=lambda answer: answer.json()["version"]).json()
    assert api.get(path).json()["environment"] == last["environment"]


def test_delete_frees_the_name_and_takes_versions_and_package_along(api, database, deploy):
    code = f"{PYTHON}\n# {uuid.uuid4()}\n"
    before = database.counts()
    first = deploy(code)
    assert database.counts()["packages"] == before["packages"] + 1
    answer = api.delete(f"/functions/{first['name']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert database.counts() == before
    for method in ("GET", "PUT", "DELETE"):
        for ref in (first["id"], first["name"]):
            check_problem(api.request(method, f"/functions/{ref}", json={} if method == "PUT" else None), 404, "not_found")
    second = deploy(code, name=first["name"])
    assert second["id"] != first["id"]
    assert second["version"] == 1
    assert api.output(second, "again") == "again"


def test_two_functions_can_have_the_same_code(api, database, deploy):
    code = f"{PYTHON}\n# {uuid.uuid4()}\n"
    first, second = deploy(code), deploy(code)
    assert first["package_sha256"] == second["package_sha256"]
    assert api.delete(f"/functions/{first['id']}").status_code == 204
    assert database.value("select count(*) from packages where sha256 = :'sha'", sha=first["package_sha256"]) == 1
    assert api.output(second, 3) == 3


@pytest.mark.parametrize("handler", ["index.handler", "lambda_function.handler", "src/api.handler", f"{'x' * 119}.handler"])
def test_inline_code_is_the_file_that_its_handler_names(api, deploy, handler):
    python = deploy("def handler(event, context):\n    return __file__\n", handler=handler)
    javascript = deploy("exports.handler = async () => __filename;\n", language="javascript", handler=handler)
    path = handler.removesuffix(".handler")
    assert api.output(python).endswith(f"/{path}.py")
    assert api.output(javascript).endswith(f"/{path}.js")
    # The file keeps its name until there is new code.
    changed = api.put(f"/functions/{python['id']}", json={"handler": "main.handler"})
    assert errors_of(changed)["handler"]["code"] == "handler_not_found"
    changed = api.put(f"/functions/{python['id']}", json={"handler": "main.go", "code": "def go(event, context):\n    return 7\n"})
    assert changed.status_code == 200, changed.text
    assert api.output(python) == 7


def test_a_handler_other_than_the_default_is_run(api, deploy):
    assert api.output(deploy("def go(event, context):\n    return 'went'\n", handler="main.go")) == "went"
    code = "exports.go = () => 'went';"
    assert api.output(deploy(code, language="javascript", handler="main.go")) == "went"


def test_code_that_fails_while_it_loads_is_stored_with_a_warning(api, deploy):
    function = deploy("raise RuntimeError('no database')\ndef handler(event, context):\n    return 1\n")
    (warning,) = function["warnings"]
    assert warning["code"] == "init_error"
    assert "no database" in warning["message"]
    check_problem(api.execute(function), 502, "init_error")


# What is wrong with a request


@pytest.mark.parametrize("body", ["", "{", '{"name": "a",}', "{'name': 'a'}", '{"name": "a" "b"}', "nul", '"\ud800"', '{"a": 01}'])
def test_broken_json_is_invalid_json(api, unchanged, body):
    problem = check_problem(api.raw("POST", "/functions", body.encode("utf-8", "surrogatepass"), JSON), 400, "invalid_json")
    assert problem["line"] >= 1
    assert "column" in problem


@pytest.mark.parametrize("body", ["[]", "3", '"text"', "null"])
def test_json_that_is_no_object_is_an_invalid_request(api, unchanged, body):
    check_problem(api.raw("POST", "/functions", body.encode(), JSON), 400, "invalid_request")


def test_a_field_that_is_there_twice_is_refused(api, unchanged):
    body = json.dumps(valid())[:-1] + ', "language": "javascript"}'
    check_problem(api.raw("POST", "/functions", body.encode(), JSON), 400, "invalid_json")


def errors_of(answer):
    problem = check_problem(answer, 422, "invalid_function")
    return {error["field"]: error for error in problem["errors"]}


WRONG = {
    "no name": ({"name": None}, "name", "required"),
    "empty name": ({"name": ""}, "name", "out_of_range"),
    "name with capitals": ({"name": "Hello"}, "name", "invalid_value"),
    "name with a slash": ({"name": "a/b"}, "name", "invalid_value"),
    "name like an id": ({"name": "01a20887-898b-78c5-b9bf-289e8eda74de"}, "name", "invalid_value"),
    "name too long": ({"name": "a" * 64}, "name", "too_large"),
    "name with NUL": ({"name": "a\0b"}, "name", "invalid_value"),
    "name of wrong type": ({"name": 3}, "name", "wrong_type"),
    "no language": ({"language": None}, "language", "required"),
    "unknown language": ({"language": "cobol"}, "language", "invalid_value"),
    "language of wrong type": ({"language": ["python"]}, "language", "wrong_type"),
    "unknown runtime": ({"runtime": "chroot"}, "runtime", "invalid_value"),
    "unknown network": ({"network": "host"}, "network", "invalid_value"),
    "unknown isolation": ({"isolation": "none"}, "isolation", "invalid_value"),
    "pids of wrong type": ({"pids": True}, "pids", "wrong_type"),
    "half a process": ({"pids": 8.5}, "pids", "wrong_type"),
    "log negative": ({"log_bytes": -1}, "log_bytes", "out_of_range"),
    "no code": ({"code": None}, "code", "required"),
    "empty code": ({"code": ""}, "code", "out_of_range"),
    "code of wrong type": ({"code": {"main.py": "x"}}, "code", "wrong_type"),
    "code too large": ({"code": "#" * (4194304 + 1)}, "code", "too_large"),
    "handler without a dot": ({"handler": "handler"}, "handler", "invalid_value"),
    "handler that climbs": ({"handler": "../../etc/x.y"}, "handler", "invalid_value"),
    "absolute handler": ({"handler": "/etc/x.y"}, "handler", "invalid_value"),
    "timeout of wrong type": ({"timeout_ms": "3000"}, "timeout_ms", "wrong_type"),
    "timeout with a fraction": ({"timeout_ms": 1000.5}, "timeout_ms", "wrong_type"),
    "timeout zero": ({"timeout_ms": 0}, "timeout_ms", "out_of_range"),
    "timeout negative": ({"timeout_ms": -1}, "timeout_ms", "out_of_range"),
    "timeout of a day": ({"timeout_ms": 86400000}, "timeout_ms", "out_of_range"),
    "timeout of 2^62": ({"timeout_ms": 2**62}, "timeout_ms", "out_of_range"),
    "memory too small": ({"memory_limit_mb": 1}, "memory_limit_mb", "out_of_range"),
    "memory of a petabyte": ({"memory_limit_mb": 10**9}, "memory_limit_mb", "out_of_range"),
    "no cpus": ({"cpus": 0}, "cpus", "out_of_range"),
    "negative cpus": ({"cpus": -1}, "cpus", "out_of_range"),
    "a thousand cpus": ({"cpus": 1000}, "cpus", "out_of_range"),
    "cpus of wrong type": ({"cpus": "1"}, "cpus", "wrong_type"),
    "tmp too large": ({"tmp_mb": 100000}, "tmp_mb", "out_of_range"),
    "concurrency zero": ({"max_concurrency": 0}, "max_concurrency", "out_of_range"),
    "concurrency too large": ({"max_concurrency": 1000000}, "max_concurrency", "out_of_range"),
    "environment of wrong type": ({"environment": ["A=b"]}, "environment", "wrong_type"),
    "environment too large": ({"environment": {"A": "b" * 40000}}, "environment", "too_large"),
    "variable of wrong type": ({"environment": {"A": 1}}, "environment.A", "wrong_type"),
    "variable with a bad name": ({"environment": {"A-B": "1"}}, "environment.A-B", "invalid_value"),
    "variable with NUL": ({"environment": {"A": "x\0y"}}, "environment.A", "invalid_value"),
    "reserved variable": ({"environment": {"BERTH_FUNCTION_DIR": "/"}}, "environment.BERTH_FUNCTION_DIR", "reserved"),
    "variable without effect": ({"environment": {"PYTHONOPTIMIZE": "1"}}, "environment.PYTHONOPTIMIZE", "no_effect"),
    "form of the log": ({"environment": {"AWS_LAMBDA_LOG_FORMAT": "JSON"}}, "environment.AWS_LAMBDA_LOG_FORMAT", "no_effect"),
    "unknown field": ({"memory": 128}, "memory", "unknown_field"),
    "field that only answers have": ({"version": 7}, "version", "unknown_field"),
}


@pytest.mark.parametrize("fields, field, code", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_field_is_named_and_nothing_is_stored(api, unchanged, fields, field, code):
    errors = errors_of(api.post("/functions", json=valid(**fields)))
    assert {name: error["code"] for name, error in errors.items()} == {field: code}
    assert errors[field]["message"]


def test_null_is_no_value(api, unchanged):
    errors = errors_of(api.post("/functions", json={**valid(), "timeout_ms": None}))
    assert errors["timeout_ms"]["code"] == "wrong_type"


def test_all_wrong_fields_are_named_at_once(api, unchanged):
    errors = errors_of(api.post("/functions", json=valid(language="cobol", timeout_ms=0, code=None, bogus=True)))
    assert {name: error["code"] for name, error in errors.items()} == {
        "language": "invalid_value",
        "timeout_ms": "out_of_range",
        "code": "required",
        "bogus": "unknown_field",
    }


@pytest.mark.parametrize(
    "language, code, line",
    [
        ("python", "import os\n\ndef handler(event context):\n    return 1\n", 3),
        ("python", "def handler(event, context):\nreturn 1\n", 2),
        ("javascript", "exports.handler = async (event) => {\n    return 1 1;\n};\n", 2),
        ("javascript", "import os from 'node:os';\n\nexport const handler = (event) => event event;\n", 3),
    ],
    ids=["python", "python-indentation", "commonjs", "es-module"],
)
def test_code_that_does_not_compile_is_refused_with_its_line(api, unchanged, language, code, line):
    errors = errors_of(api.post("/functions", json=valid(language=language, code=code)))
    assert set(errors) == {"code"}
    assert (errors["code"]["code"], errors["code"]["line"]) == ("does_not_compile", line)
    assert f"Line {line}" in errors["code"]["message"]


@pytest.mark.parametrize(
    "language, fields",
    [
        ("python", {"code": "def other(event, context):\n    return 1\n"}),
        ("python", {"code": "handler = 3\n"}),
        ("python", {"code": PYTHON, "handler": "elsewhere.other"}),
        ("javascript", {"code": "exports.other = () => 1;\n"}),
        ("javascript", {"code": "exports.handler = 3;\n"}),
        ("javascript", {"code": "export const other = () => 1;\n"}),
        ("javascript", {"code": JAVASCRIPT, "handler": "elsewhere.other"}),
    ],
)
def test_a_handler_that_is_not_in_the_code_is_refused(api, unchanged, language, fields):
    errors = errors_of(api.post("/functions", json=valid(language=language, **fields)))
    assert {name: error["code"] for name, error in errors.items()} == {"handler": "handler_not_found"}


def test_a_put_that_is_refused_leaves_the_function_as_it_is(api, database, deploy):
    function = deploy(PYTHON)
    path = f"/functions/{function['id']}"
    before = database.counts()
    assert errors_of(api.put(path, json={"code": "def handler("}))["code"]["code"] == "does_not_compile"
    assert errors_of(api.put(path, json={"timeout_ms": 1}))["timeout_ms"]["code"] == "out_of_range"
    assert errors_of(api.put(path, json={"id": "x"}))["id"]["code"] == "unknown_field"
    assert errors_of(api.put(path, json={"language": "javascript"}))["code"]["code"] == "required"
    check_problem(api.raw("PUT", path, b"{", JSON), 400, "invalid_json")
    assert database.counts() == before
    assert api.get(path).json() == {name: value for name, value in function.items() if name != "warnings"}
    assert api.output(function, "as before") == "as before"


def test_a_name_that_is_taken_is_refused(api, unchanged, function):
    check_problem(api.post("/functions", json=valid(name=function["name"])), 409, "name_taken")


def test_a_put_cannot_take_a_name_that_is_taken(api, database, deploy, function):
    other = deploy(PYTHON)
    before = database.counts()
    check_problem(api.put(f"/functions/{other['id']}", json={"name": function["name"]}), 409, "name_taken")
    assert database.counts() == before


@pytest.mark.parametrize("ref", [str(uuid.uuid4()), "no-such-function", "00000000-0000-0000-0000-000000000000"])
def test_an_id_that_does_not_exist_is_not_found(api, unchanged, ref):
    check_problem(api.get(f"/functions/{ref}"), 404, "not_found")
    check_problem(api.put(f"/functions/{ref}", json={"timeout_ms": 1000}), 404, "not_found")
    check_problem(api.delete(f"/functions/{ref}"), 404, "not_found")
    answer = api.execute(ref)
    check_problem(answer, 404, "not_found")
    assert "Berth-Invocation-Id" not in answer.headers


@pytest.mark.parametrize("path", ["/nowhere", "/functions/a/b", "/functions/a/", "/execute", "/execute/", "/execute/a/b"])
def test_an_unknown_route_is_not_found(api, unchanged, path):
    check_problem(api.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("PATCH", "/functions", "GET, HEAD, POST"),
        ("DELETE", "/functions", "GET, HEAD, POST"),
        ("POST", "/functions/some", "GET, HEAD, PUT, DELETE"),
        ("GET", "/execute/some", "POST"),
        ("PUT", "/execute/some", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_allowed_says_which_are(api, unchanged, method, path, allow):
    answer = api.request(method, path)
    check_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_wrong_content_type_is_refused(api, unchanged, function, content_type):
    headers = {"Content-Type": content_type}
    check_problem(api.raw("POST", "/functions", json.dumps(valid()), headers), 415, "unsupported_media_type")
    check_problem(api.raw("PUT", f"/functions/{function['id']}", "{}", headers), 415, "unsupported_media_type")
    check_problem(api.raw("POST", f"/execute/{function['id']}", "{}", headers), 415, "unsupported_media_type")


def test_a_content_type_with_parameters_is_json(api, function):
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answer = api.raw("POST", f"/execute/{function['id']}", '{"input": "ü"}'.encode(), headers)
    assert answer.json() == {"output": "ü"}


def test_a_body_over_the_limit_is_refused_by_nginx_with_the_limit(api, unchanged, function, stack):
    limit = int(stack.settings()["limits.request_bytes"])
    body = b'{"input": "' + b"x" * limit + b'"}'
    problem = check_problem(api.raw("POST", f"/execute/{function['id']}", body, JSON), 413, "payload_too_large")
    assert (problem["limit"], problem["actual"]) == (limit, len(body))
    problem = check_problem(api.raw("POST", "/functions", b" " * (30 << 20), JSON), 413, "payload_too_large")
    assert problem["limit"] >= limit


@pytest.mark.parametrize(
    "path",
    ["/functions?limit=0", "/functions?limit=201", "/functions?limit=x", "/functions?cursor=x", "/functions?offset=3"],
)
def test_wrong_query_parameters_of_the_list_are_refused(api, path):
    check_problem(api.get(path), 400, "invalid_request")


@pytest.mark.parametrize("query", ["version=0", "version=-1", "version=x", "version=4294967295", "version=1&version=2", "v=1"])
def test_wrong_query_parameters_of_an_invocation_are_refused(api, function, query):
    check_problem(api.post(f"/execute/{function['id']}?{query}", json={}), 400, "invalid_request")


@pytest.mark.parametrize("body", [b"{", b'{"input": }', b'{"input": nan}', b'{"input": "\xff"}', b'{"input": 1} x', b"["])
def test_an_invocation_with_broken_json_is_refused(api, function, body):
    check_problem(api.raw("POST", f"/execute/{function['id']}", body, JSON), 400, "invalid_json")


@pytest.mark.parametrize("body", [[], {"Input": 1}, {"input": 1, "more": 2}, {"parameters": []}, {"parameters": "x"}, 3])
def test_an_invocation_with_other_members_is_refused(api, function, body):
    answer = api.post(f"/execute/{function['id']}", json=body)
    check_problem(answer, 400, "invalid_request")
    assert "Berth-Invocation-Id" not in answer.headers


def test_the_limits_that_are_documented_are_those_in_force(api, unchanged):
    limits = api.get("/limits").json()["function"]
    for field in ("timeout_ms", "memory_limit_mb", "tmp_mb", "max_concurrency", "min_warm", "cpus"):
        for wrong in (limits[field]["min"] / 2 if field == "cpus" else limits[field]["min"] - 1, limits[field]["max"] + 1):
            assert errors_of(api.post("/functions", json=valid(**{field: wrong})))[field]["code"] == "out_of_range"
    assert limits["language"]["values"] == ["javascript", "python"]


def test_no_process_died_of_bad_input(api, stack):
    before = {p.pid for p in stack.children()}
    mark = stack.log_mark()
    for path, body in (("/functions", b"{"), ("/functions", b"\xff\xfe"), ("/execute/x", b"{"), ("/functions", b"[" * 100000)):
        assert api.raw("POST", path, body, JSON).status_code in (400, 404, 422)
    assert before <= {p.pid for p in stack.children()}
    assert "was killed" not in stack.log_since(mark)

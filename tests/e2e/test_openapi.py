"""/openapi.json is true: each operation and each example is tried on the running platform, and nothing that it serves is left out."""

import json
import os
import re
from pathlib import Path

import contract
import pytest
import requests
from support import wait_for

OPERATIONS = contract.Description(json.loads((Path(os.environ.get("BERTH_BUILD", ".")) / "openapi.json").read_text())).operations \
    if "BERTH_BUILD" in os.environ else []  # fmt: skip


def named(operation_id):
    (found,) = (o for o in OPERATIONS if o.json["operationId"] == operation_id)
    return found


class Walk:
    """Calls operations with their examples; each has to succeed, in a way that is described."""

    def __init__(self, api):
        self.api = api
        self.called = set()
        self.ids = {}  # path → what {id} is there, when it is not the example

    def call(self, operation, query=None, body=None, headers=None):
        path = operation.path
        for parameter in operation.parameters:
            if parameter["in"] == "path":
                known = self.ids.get(path.split("/")[1])
                path = path.replace(f"{{{parameter['name']}}}", known or parameter["example"])
        answer = self.api.request(operation.method, path, params=query, json=body, headers=headers)
        assert 200 <= answer.status_code < 300, (operation.name, query, answer.text)
        assert str(answer.status_code) in operation.json["responses"]
        self.called.add(operation.name)
        return answer

    def call_with_each_parameter(self, operation):
        """With those that it must have, and then with one more at a time, as its example has it."""
        queries = [p for p in operation.parameters if p["in"] == "query"]
        needed = {p["name"]: p["example"] for p in queries if p.get("required")}
        self.call(operation, query=needed)
        for parameter in queries:
            self.call(operation, query=needed | {parameter["name"]: parameter["example"]})


def headers_of(operation):
    return {p["name"]: p["example"] for p in operation.parameters if p["in"] == "header"}


@pytest.fixture(scope="module")
def walk(api, database):
    """What was called, once everything was."""
    walk = Walk(api)
    create, execute = named("createFunction"), named("execute")
    deployed = {name: walk.call(create, body=body).json() for name, body in create.request_examples().items()}
    for body in execute.request_examples().values():
        answer = walk.call(execute, body=body, query={"version": 1}, headers=headers_of(execute))
    walk.ids["invocations"] = answer.headers["Berth-Invocation-Id"]
    database.metric(walk.ids["invocations"])
    for operation in OPERATIONS:
        if operation.method == "GET":
            walk.call_with_each_parameter(operation)
    update, delete = named("updateFunction"), named("deleteFunction")
    for body in update.request_examples().values():
        walk.call(update, body=body, headers=headers_of(update))
    walk.call(delete, headers=headers_of(delete))
    yield walk
    for function in deployed.values():
        api.delete_for_sure(f"/functions/{function['id']}")


def test_every_operation_answers_its_examples(walk):
    assert walk.called == {operation.name for operation in OPERATIONS}


def test_every_answer_that_stands_as_an_example_fits_its_schema():
    seen = 0
    for operation in OPERATIONS:
        for status, response in operation.json["responses"].items():
            for media_type, content in response.get("content", {}).items():
                for name, example in content.get("examples", {}).items():
                    seen += 1
                    faults = contract.faults_of(operation.validator(status, media_type), example["value"])
                    assert faults == [], (operation.name, status, name)
    assert seen >= 5


def test_what_is_served_is_what_was_built_and_is_kept_by_clients_while_it_is_the_same(api):
    answer = api.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "application/json"
    assert answer.content == (Path(os.environ["BERTH_BUILD"]) / "openapi.json").read_bytes()
    again = api.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def places(configuration):
    """The paths that nginx passes on, as regular expressions."""
    text = re.sub(r"#.*", "", configuration)
    for kind, pattern, block in re.findall(r"location (~|=)? ?(\S+) \{(.*?)\n        \}", text, re.DOTALL):
        if "fastcgi_pass" in block:
            yield pattern if kind == "~" else f"^{re.escape(pattern)}$"


def test_every_place_that_nginx_passes_on_is_described(stack):
    """berthd's routes are compared with the document when it is built."""
    found = list(places((stack.dir / "nginx" / "berth.conf").read_text()))
    paths = [re.sub(r"\{\w+\}", "x", operation.path) for operation in OPERATIONS]
    assert [place for place in found if not any(re.search(place, path) for path in paths)] == []
    assert [path for path in paths if not any(re.search(place, path) for place in found)] == []


def test_what_is_not_as_described_is_told(api):
    def faults(method, path, status, body, **headers):
        answer = requests.Response()
        answer.status_code, answer._content = status, json.dumps(body).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        answer.headers.update({"Content-Type": kind, "X-Request-Id": "x"} | {k.replace("_", "-"): v for k, v in headers.items()})
        return contract.description().faults(method, path, answer)

    problem = {"type": "urn:berth:problem:not_found", "title": "Not found", "status": 404, "detail": "d", "instance": "/", "code": "not_found",
               "request_id": "x"}  # fmt: skip
    assert faults("GET", "/healthz", 200, {"status": "ok"}) == []
    assert faults("GET", "/healthz", 200, {"status": "ok", "mood": "good"})[0].startswith("body: ")
    assert faults("GET", "/healthz", 200, {"status": "fine"}) == ["body.status: 'ok' was expected"]
    assert faults("GET", "/healthz", 204, None)[0].startswith("the status is 204; described are 200")
    assert faults("GET", "/healthz", 200, {"status": "ok"}, Content_Type="text/html") == ["the body's type is 'text/html'; described are application/json"]
    assert faults("GET", "/functions/x", 404, problem) == []
    assert faults("GET", "/functions/x", 404, problem | {"hint": "h"})[0].startswith("body: ")
    assert faults("GET", "/functions/x", 404, problem | {"code": "name_taken"}) == ["body.code: 'not_found' was expected"]
    throttled = problem | {"type": "urn:berth:problem:throttled", "title": "Too many requests", "status": 429, "code": "throttled", "reason": "queue_full"}
    assert faults("POST", "/execute/x", 429, throttled) == ["the header Retry-After is missing"]
    assert faults("POST", "/execute/x", 429, throttled, Retry_After="1") == []
    # Where one of several schemas may hold, what is wrong with the one that was meant.
    state = api.get("/readyz").json()
    assert faults("GET", "/readyz", 200, state | {"pool": state["pool"] | {"mood": "good"}}) == \
        ["body.pool: Additional properties are not allowed ('mood' was unexpected)"]  # fmt: skip
    assert faults("GET", "/healthz/more", 200, {}) == ["there is no such operation"]
    assert faults("GET", "/nothing", 404, problem) == []
    assert faults("GET", "/nothing", 404, problem, Content_Type="text/html") == ["an error whose type is 'text/html', so it is no problem"]
    assert faults("GET", "/nothing", 304, None, Content_Type="") == []
    assert faults("GET", "/nothing", 404, problem | {"code": "lost"})[0].startswith("body.code: 'lost' is not one of")

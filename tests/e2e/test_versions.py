"""What a PUT or DELETE has answered holds for the very next invocation, also under load."""

import threading

import pytest
from support import PYTHON_SANDBOX_ID, check_problem, wait_for

ROUNDS = 30


def python(answer):
    return f"{PYTHON_SANDBOX_ID}\ndef handler(event, context):\n    return [{answer!r}, sandbox_id()]\n"


def javascript(answer):
    return f"exports.handler = async () => [{answer!r}];\n"


@pytest.mark.parametrize("language, write, rounds", [("python", python, ROUNDS), ("javascript", javascript, 10)])
def test_the_invocation_right_after_a_put_runs_the_new_code(api, deploy, language, write, rounds):
    function = deploy(write(1), language=language)
    assert api.output(function)[0] == 1
    for n in range(2, rounds + 2):
        changed = api.put(f"/functions/{function['id']}", json={"code": write(n)})
        assert (changed.status_code, changed.json()["version"]) == (200, n)
        assert api.output(function)[0] == n


def test_the_invocation_right_after_a_put_of_settings_has_them(api, deploy):
    code = "import os\ndef handler(event, context):\n    return [os.environ['N'], context.function_version]\n"
    function = deploy(code, environment={"N": "1"})
    for n in range(2, 7):
        assert api.put(f"/functions/{function['name']}", json={"environment": {"N": str(n)}}).status_code == 200
        assert api.output(function) == [str(n), str(n)]


def test_under_load_no_request_fails_and_nothing_older_than_the_put_runs(api, deploy, load):
    function = deploy(python(1), timeout_ms=10000)
    api.output(function)
    lock = threading.Lock()
    newest = 1  # what a PUT has answered
    wrong = []

    def invoke():
        with lock:
            at_least = newest
        answer = api.execute(function)
        if answer.status_code == 200 and answer.json()["output"][0] < at_least:
            wrong.append((answer.json()["output"][0], at_least))
        return answer

    clients = load(invoke, threads=4)
    clients.wait_for_more(10)
    for n in range(2, ROUNDS + 2):
        changed = api.put(f"/functions/{function['id']}", json={"code": python(n)})
        assert changed.status_code == 200, changed.text
        with lock:
            newest = n
        assert api.output(function)[0] == n
    clients.wait_for_more(10)
    clients.stop()
    assert wrong == []
    assert clients.failed() == []
    versions_of = {}
    for answer in clients.answers:
        version, sandbox = answer.output
        versions_of.setdefault(sandbox, set()).add(version)
    assert {sandbox: v for sandbox, v in versions_of.items() if len(v) > 1} == {}


def test_the_new_version_runs_beside_slow_invocations_of_the_old_one_and_no_request_fails(api, deploy, load):
    code = "import time\ndef handler(event, context):\n    time.sleep(0.7)\n    return {n}\n"
    function = deploy(code.replace("{n}", "1"), timeout_ms=10000, max_concurrency=6)
    clients = load(lambda: api.execute(function), threads=6)
    clients.wait_for_more(6)
    for n in range(2, 6):
        changed = api.put(f"/functions/{function['id']}", json={"code": code.replace("{n}", str(n))})
        assert changed.status_code == 200, changed.text
        clients.wait_for_more(6)
    clients.stop()
    assert clients.failed() == []
    assert {a.output for a in clients.answers} == {1, 2, 3, 4, 5}
    for n in range(1, 5):
        assert max(a.ended for a in clients.answers if a.output == n) > min(a.started for a in clients.answers if a.output == n + 1)


def test_two_puts_at_once_make_two_versions_or_one_is_told(api, deploy):
    function = deploy(python(1))
    answers = []

    def put(n):
        answers.append(api.put(f"/functions/{function['id']}", json={"code": python(n)}))

    threads = [threading.Thread(target=put, args=(n,)) for n in range(10, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    changed = [a.json()["version"] for a in answers if a.status_code == 200]
    for answer in answers:
        if answer.status_code != 200:
            check_problem(answer, 412, "version_mismatch")
    assert sorted(changed) == list(range(2, 2 + len(changed)))
    assert changed
    current = api.get(f"/functions/{function['id']}").json()["version"]
    assert current == max(changed)


def test_an_invocation_that_runs_during_a_put_ends_with_the_code_it_began_with(api, deploy):
    code = "import time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return {n}\n"
    function = deploy(code.replace("{n}", "1"), timeout_ms=10000)
    assert api.output(function) == 1
    api.wait_for_rest()
    results = []
    thread = threading.Thread(target=lambda: results.append(api.output(function, 1.5)))
    thread.start()
    wait_for("the invocation to run", lambda: api.leased())
    assert api.put(f"/functions/{function['id']}", json={"code": code.replace("{n}", "2")}).status_code == 200
    assert results == []
    assert api.output(function) == 2
    thread.join()
    assert results == [1]


def test_the_sandboxes_of_the_version_before_are_removed(api, deploy, stack):
    function = deploy(python(1))
    old = api.output(function)[1]
    assert stack.sandbox_container(old)
    assert api.put(f"/functions/{function['id']}", json={"code": python(2)}).status_code == 200
    wait_for("the old sandbox to go", lambda: stack.sandbox_container(old) is None, 5)


def test_an_older_version_runs_when_it_is_asked_for(api, deploy):
    function = deploy(python(1))
    api.put(f"/functions/{function['id']}", json={"code": python(2)})
    path = f"/execute/{function['name']}"
    for _ in range(2):
        assert api.post(f"{path}?version=1", json={}).json()["output"][0] == 1
        assert api.post(f"{path}?version=2", json={}).json()["output"][0] == 2
        assert api.post(path, json={}).json()["output"][0] == 2
    first = api.post(f"{path}?version=1", json={}).json()["output"][1]
    second = api.post(f"{path}?version=2", json={}).json()["output"][1]
    assert first != second
    problem = check_problem(api.post(f"{path}?version=3", json={}), 404, "not_found")
    assert problem["detail"] == f"'{function['name']}' has no version 3; the current one is 2"
    check_problem(api.post(f"{path}?version=2147483647", json={}), 404, "not_found")


def test_after_delete_a_late_invocation_is_not_found_and_the_sandboxes_go(api, deploy, stack):
    function = deploy(python(1))
    sandbox = api.output(function)[1]
    assert stack.sandbox_container(sandbox)
    assert api.delete(f"/functions/{function['id']}").status_code == 204
    for ref in (function["id"], function["name"]):
        check_problem(api.execute(ref), 404, "not_found")
        check_problem(api.post(f"/execute/{ref}?version=1", json={}), 404, "not_found")
    wait_for("the container to go", lambda: stack.sandbox_container(sandbox) is None, 5)
    wait_for("the directory to go", lambda: sandbox not in stack.sandbox_directories(), 5)


def test_under_load_nothing_runs_after_a_delete_was_answered(api, deploy, load):
    function = deploy(python(1))
    deleted = threading.Event()
    late = []

    def invoke():
        was_deleted = deleted.is_set()
        answer = api.execute(function)
        if was_deleted and answer.status_code != 404:
            late.append(answer)
        return answer

    clients = load(invoke, threads=4)
    clients.wait_for_more(20)
    assert api.delete(f"/functions/{function['id']}").status_code == 204
    deleted.set()
    enough = len(clients.answers) + 20
    wait_for("more requests", lambda: len(clients.answers) >= enough)
    clients.stop()
    assert late == []
    assert {(a.status, a.code) for a in clients.failed()} <= {(404, "not_found")}


def test_a_name_that_is_used_again_runs_the_new_function_at_once(api, deploy):
    first = deploy(python("first"))
    for n in range(10):
        assert api.output(first["name"])[0] in ("first", n - 1)
        assert api.delete(f"/functions/{first['name']}").status_code == 204
        deploy(python(n), name=first["name"])
        assert api.output(first["name"])[0] == n

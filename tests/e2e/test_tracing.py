"""An invocation as part of its caller's trace, and its spans at an OpenTelemetry collector."""

import http.server
import json
import re
import threading
import time

import pytest
from support import wait_for

TELL = "def handler(event, context):\n    return context.traceparent\n"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


class Receiver:
    """An OpenTelemetry collector for traces: keeps what it is sent, and answers as it is told."""

    def __init__(self):
        self.spans, self.bodies, self.status, self.delay = [], 0, 200, 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies += 1
                time.sleep(receiver.delay)
                if receiver.status == 200:
                    receiver.take(self.path, self.headers["Content-Type"], json.loads(body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, content_type, body):
        assert (path, content_type) == ("/v1/traces", "application/json")
        for resource in body["resourceSpans"]:
            keys = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
            assert keys["service.name"] == "berth" and keys["host.name"]
            for scope in resource["scopeSpans"]:
                self.spans += scope["spans"]

    def of(self, trace):
        return [span for span in list(self.spans) if span["traceId"] == trace]


@pytest.fixture(scope="module")
def only_receiver(reload_once):
    one = Receiver()
    reload_once(f"tracing.endpoint={one.url}")
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def receiver(only_receiver):
    only_receiver.bodies, only_receiver.status, only_receiver.delay = 0, 200, 0
    return only_receiver


@pytest.fixture(scope="module")
def teller(deploy_once):
    return deploy_once(TELL)


def traced(api, function, traceparent):
    headers = {"Content-Type": "application/json", "traceparent": traceparent}
    return api.raw("POST", f"/execute/{function['id']}", "{}", headers)


def test_a_trace_goes_in_to_the_function_and_out(api, database, teller):
    answer = traced(api, teller, f"00-{TRACE}-{CALLER}-01")
    own = answer.headers["Berth-Invocation-Id"].replace("-", "")[16:]
    assert answer.headers["traceparent"] == f"00-{TRACE}-{own}-01"
    assert answer.json()["output"] == answer.headers["traceparent"]
    assert database.metric(answer.headers["Berth-Invocation-Id"])["trace_id"].replace("-", "") == TRACE


def test_an_invocation_without_a_caller_begins_a_trace(api, teller):
    first, second = (api.execute(teller) for _ in range(2))
    form = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
    traces = {form.fullmatch(answer.headers["traceparent"])[1] for answer in (first, second)}
    assert len(traces) == 2
    assert first.json()["output"] == first.headers["traceparent"]


def test_a_traceparent_that_is_none_begins_a_trace(api, teller):
    for wrong in ("nonsense", f"00-{'0' * 32}-{CALLER}-01", f"ff-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-01-more"):
        answer = traced(api, teller, wrong)
        assert answer.status_code == 200
        assert TRACE not in answer.headers["traceparent"]


def test_spans_reach_the_collector_with_the_callers_as_parent(api, teller, receiver):
    traced(api, teller, f"00-{TRACE}-{CALLER}-01")
    spans = wait_for("the spans", lambda: receiver.of(TRACE), 20)
    (whole,) = [span for span in spans if span["name"] == "execute"]
    assert whole["parentSpanId"] == CALLER
    parts = {span["name"]: span for span in spans if span is not whole}
    assert "exec" in parts
    for span in parts.values():
        assert span["parentSpanId"] == whole["spanId"]
        assert int(whole["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
        assert int(span["endTimeUnixNano"]) <= int(whole["endTimeUnixNano"])


def test_a_trace_that_its_caller_does_not_sample_is_not_sent(api, teller, receiver):
    unsampled = "1" * 32
    traced(api, teller, f"00-{unsampled}-{CALLER}-00")
    traced(api, teller, f"00-{'2' * 32}-{CALLER}-01")
    wait_for("the sampled one", lambda: receiver.of("2" * 32), 20)
    assert receiver.of(unsampled) == []


def test_spans_that_cannot_be_sent_are_sent_later(api, teller, receiver):
    receiver.status = 503
    traced(api, teller, f"00-{'3' * 32}-{CALLER}-01")
    wait_for("a refusal", lambda: receiver.bodies >= 1, 20)
    receiver.status = 200
    wait_for("the spans", lambda: receiver.of("3" * 32), 20)


def test_a_collector_that_does_not_answer_keeps_no_record_waiting(api, database, teller, receiver):
    receiver.delay = 5
    traced(api, teller, f"00-{'4' * 32}-{CALLER}-01")
    wait_for("a batch on its way", lambda: receiver.bodies >= 1, 20)
    answer = api.execute(teller)
    answered = time.monotonic()
    database.metric(answer.headers["Berth-Invocation-Id"])
    assert time.monotonic() - answered < 2
    receiver.delay = 0


def test_one_request_id_leads_through_all_processes_and_the_function(api, database, deploy, reload, stack):
    function = deploy("def handler(event, context):\n    print('asked by', context.request_id)\n")
    reload("log.level=debug")
    request_id = "follow-me-through-berth"
    mark = stack.log_mark()
    answer = api.raw("POST", f"/execute/{function['id']}", "{}", {"Content-Type": "application/json", "X-Request-Id": request_id})
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"] == request_id

    def lines():
        found = [line for line in stack.log_since(mark).splitlines() if f'req="{request_id}"' in line]
        return {re.search(r"proc=(\w+)", line)[1] for line in found} >= {"invoke", "poolmgr", "collector"}

    wait_for("all to have told of it", lines)
    wait_for("nginx to have told of it", lambda: request_id in (stack.dir / "log/access.log").read_text())
    log = api.get(f"/invocations/{answer.headers['Berth-Invocation-Id']}/logs").json()
    assert log["request_id"] == request_id
    assert log["lines"][0]["text"] == f"asked by {request_id}"

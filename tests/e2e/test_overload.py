"""Far more requests than the node can do: who is refused is told so at once, and a busy function holds up only itself."""

import itertools
import json
import re
import statistics
import subprocess
import threading
import time

import pytest
from support import unique

pytestmark = pytest.mark.alone

CLIENTS = 512
SECONDS = 5

SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(0.05)\n"
FAST = "def handler(event, context):\n    return None\n"

# wrk counts statuses below 400 only; what else may come is counted here, with how long it took at most.
COUNT_STATUSES = """
wrk.method, wrk.body = "POST", "{}"
wrk.headers["Content-Type"] = "application/json"
local threads = {}
function setup(thread) thread:set("counts", {}); table.insert(threads, thread) end
function response(status, headers, body)
    counts[status] = (counts[status] or 0) + 1
    if status >= 400 then problem = body end
end
function done(summary)
    local e, all = summary.errors, {}
    for _, thread in ipairs(threads) do
        for status, n in pairs(thread:get("counts")) do all[status] = (all[status] or 0) + n end
        if thread:get("problem") then io.write("PROBLEM " .. thread:get("problem") .. "\\n") end
    end
    for status, n in pairs(all) do io.write(string.format("STATUS %d %d\\n", status, n)) end
    io.write(string.format("BROKEN %d\\n", e.connect + e.read + e.write + e.timeout))
end
"""


# Each request spells the id in another way, and pauses after its answer as a client does that means to go on.
SPELLINGS = """
local id = wrk.path:match("[^/]+$")
request = function()
    local some = false
    local function spell(c)
        if some and math.random(2) == 1 then return c end
        some = true
        return c:upper()
    end
    return wrk.format(nil, "/execute/" .. id:gsub("%l", spell))
end
delay = function() return 50 end
"""


class Storm:
    """wrk, many connections, each with the next request as soon as the last was answered."""

    def __init__(self, stack, script, name, clients=CLIENTS):
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "--timeout", "20s", "-s", script, f"{stack.url}/execute/{name}"],
            stdout=subprocess.PIPE, text=True,
        )

    def result(self):
        out, _ = self.process.communicate(timeout=60)
        self.counts = {int(status): int(n) for status, n in re.findall(r"^STATUS (\d+) (\d+)$", out, re.M)}
        self.broken = int(re.search(r"^BROKEN (\d+)$", out, re.M).group(1))
        self.problems = [json.loads(text) for text in re.findall(r"^PROBLEM (.*)$", out, re.M)]
        return self


@pytest.fixture(scope="module")
def storm(stack, tmp_path_factory):
    directory = tmp_path_factory.mktemp("wrk")
    storms = []

    def start(name, more="", **kwargs):
        script = directory / f"{len(storms)}.lua"
        script.write_text(COUNT_STATUSES + more)
        storms.append(Storm(stack, script, name, **kwargs))
        return storms[-1]

    yield start
    for one in storms:
        one.process.kill()
        one.process.wait()


def assert_only_answers(result):
    assert result.broken == 0
    assert set(result.counts) <= {200, 429, 503}, result.counts
    for problem in result.problems:
        assert problem["code"] in ("throttled", "overloaded")


def times_of(call, seconds, at_least=20):
    """How long calls took that were made one after the other, with a pause as people make: for some time, and so many."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end or len(times) < at_least:
        start = time.monotonic()
        answer = call()
        times.append(time.monotonic() - start)
        assert answer.status_code == 200, answer.text
        time.sleep(0.02)
    return times


@pytest.mark.parametrize("code, least", [(SLOW, 300), (FAST, 800)], ids=["slow", "fast"])
def test_a_storm_on_one_function_leaves_the_others_and_the_api_alone(api, deploy, storm, code, least):
    noisy, quiet = deploy(code, name=unique("noisy")), deploy(FAST, name=unique("quiet"))
    api.execute(quiet["id"])
    storming = storm(noisy["name"])
    time.sleep(1.5)  # wrk is connected, the pool has grown
    asked = []

    def ask():
        for path in ("/healthz", "/readyz", "/functions"):
            asked.append((path, max(times_of(lambda path=path: api.get(path), 0.3))))

    asking = threading.Thread(target=ask)
    asking.start()
    times = times_of(lambda: api.execute(quiet["id"]), 2)
    asking.join()
    result = storming.result()
    assert_only_answers(result)
    assert result.counts[200] / SECONDS > least / 3  # the storm's own requests are done meanwhile; a busy machine is slower
    assert statistics.median(times) < 0.1  # with one queue for all it waits for hundreds of others, each time
    assert len(asked) == 3 and all(longest < 2 for _, longest in asked), asked


def test_an_id_in_thousands_of_spellings_is_no_way_into_every_lane(api, deploy, storm):
    noisy = deploy(SLOW, name=unique("noisy"), max_concurrency=2)
    quiet = [deploy(FAST, name=unique("quiet")) for _ in range(4)]
    for one in quiet:
        api.execute(one["id"])

    def p90(**kwargs):
        storming = storm(noisy["id"], clients=256, **kwargs)
        time.sleep(1)
        neighbours = itertools.cycle(quiet)  # in lanes of their own, most likely
        times = times_of(lambda: api.execute(next(neighbours)["id"]), 3)
        return statistics.quantiles(times, n=10)[-1], storming.result()

    _, spelt_as_it_is = p90()
    assert spelt_as_it_is.counts[200] > 20
    longest, spelt = p90(more=SPELLINGS)
    assert spelt.broken == 0 and set(spelt.counts) == {400}
    assert all(p["code"] == "invalid_request" and "capital letters" in p["detail"] for p in spelt.problems)
    assert longest < 1  # with all spellings in all lanes it is several seconds


def test_what_does_not_fit_into_the_queue_is_refused_at_once_with_a_time_to_retry(api, deploy, reload, storm):
    reload("invoke.max_workers=8", "pool.queue_timeout_ms=500")
    slow = deploy(SLOW, max_concurrency=2)
    result = storm(slow["id"]).result()
    assert_only_answers(result)
    assert result.counts[200] > 20 and result.counts[503] + result.counts.get(429, 0) > 100
    for problem in result.problems:
        assert problem["detail"]


def test_every_answer_of_a_storm_is_on_record(api, database, deploy, storm):
    fast = deploy(FAST)
    result = storm(fast["id"], clients=64).result()
    assert_only_answers(result)
    recorded = f"select count(*) from metrics where function_id = '{fast['id']}' and status = 200"
    end = time.monotonic() + 10
    while int(database.value(recorded)) < result.counts[200] and time.monotonic() < end:
        time.sleep(0.2)
    # wrk leaves without waiting for what is under way at its end.
    assert 0 <= int(database.value(recorded)) - result.counts[200] <= 64

"""How much a function may hold in memory, and what its caller is told when that was too much: both languages, on both runtimes."""

import pytest
from support import check_problem

MB = 1 << 20
SHARE = 0.7  # of memory_limit_mb, which a function can hold as objects

HOLDERS = {
    "python": """
from sys import getsizeof

def handler(event, context):
    kept, held = [], 0
    while held < event["mb"] << 20:
        item = {"id": len(kept), "tags": [len(kept)], "name": "item %d" % len(kept)}
        held += getsizeof(item) + sum(map(getsizeof, item.values()))
        kept.append(item)
    return len(kept)
""",
    "javascript": """
const { getHeapStatistics } = require('node:v8');
const held = () => getHeapStatistics().used_heap_size;

const makers = {
    objects: (n) => ({ id: n, tags: [n], name: `item ${n}` }),
    arrays: (n) => new Array(100).fill(n),
    strings: (n) => `item ${n}`.repeat(10) + n,
};

let count = Infinity; // of the first call, whose garbage may still be there in the next one

exports.handler = ({ mb, kind = 'objects' }) => {
    const kept = [];
    const enough = held() + mb * 1048576;
    while (kept.length < count) {
        for (let i = 0; i < 1000; i++) kept.push(makers[kind](kept.length));
        if (count === Infinity && held() >= enough) count = kept.length;
    }
    return kept.length;
};
""",
}
LIMITS_MB = (64, 128, 1024)  # the least, the default, and a large one
SLOW = {"timeout_ms": 60000}


@pytest.fixture(params=HOLDERS)
def language(request):
    return request.param


@pytest.mark.parametrize("limit_mb", LIMITS_MB)
def test_seven_tenths_of_the_limit_can_be_held_as_objects(api, deploy, runtime, language, limit_mb):
    function = deploy(HOLDERS[language], language=language, runtime=runtime, memory_limit_mb=limit_mb, **SLOW)
    for _ in range(2):  # the second time in place of what the first one held
        assert api.output(function, {"mb": int(SHARE * limit_mb)}, timeout=90) > 100000


@pytest.mark.parametrize("kind", ["arrays", "strings"])
def test_so_can_other_javascript_values(api, deploy, runtime, kind):
    function = deploy(HOLDERS["javascript"], language="javascript", runtime=runtime, **SLOW)
    assert api.output(function, {"mb": int(SHARE * 128), "kind": kind}, timeout=90) > 10000


CHURN = """
exports.handler = (mb) => {
    const kept = [];
    while (kept.length < mb) kept.push(new Array(1 << 17).fill(0));     // a megabyte each
    for (let i = 0; i < 1000; i++) kept.last = Array.from({ length: 10000 }, (_, n) => ({ n }));
    return kept.length;
};
"""


def test_garbage_is_collected_before_the_limit_is_reached(api, deploy, runtime):
    function = deploy(CHURN, language="javascript", runtime=runtime, **SLOW)
    assert api.output(function, 64, timeout=90) == 64


@pytest.mark.parametrize("limit_mb", LIMITS_MB)
def test_more_than_the_limit_is_out_of_memory(api, deploy, runtime, language, limit_mb):
    function = deploy(HOLDERS[language], language=language, runtime=runtime, memory_limit_mb=limit_mb, **SLOW)
    problem = check_problem(api.execute(function, {"mb": 2 * limit_mb}, timeout=90), 502, "out_of_memory")
    assert (problem["limit_mb"], problem["phase"]) == (limit_mb, "exec")
    assert problem["peak_mb"] <= limit_mb
    assert "raise it or use less memory" in problem["detail"]
    assert api.output(function, {"mb": 1}) > 0  # in a new sandbox


WAYS = {
    "one piece that is too large": ("python", "def handler(event, context): return len(bytearray(1 << 50))"),
    "a worker thread": (
        "javascript",
        """
const { Worker } = require('node:worker_threads');
const code = "const kept = []; for (let i = 0; ; i++) kept.push({ i, more: [i] });";
exports.handler = () => new Promise((resolve) => new Worker(code, { eval: true }).on('exit', resolve));
""",
    ),
    "buffers": ("javascript", "exports.handler = () => { const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1)); };"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_run_out_of_memory_is_told_alike(api, deploy, runtime, way):
    language, code = WAYS[way]
    function = deploy(code, language=language, runtime=runtime, **SLOW)
    assert check_problem(api.execute(function, timeout=90), 502, "out_of_memory")["limit_mb"] == 128


def test_it_is_known_even_if_no_log_is_kept(api, deploy, runtime):
    function = deploy(HOLDERS["javascript"], language="javascript", runtime=runtime, log_bytes=0, **SLOW)
    check_problem(api.execute(function, {"mb": 256}, timeout=90), 502, "out_of_memory")


def test_while_loading_it_is_told_at_the_deployment(deploy, runtime):
    code = "const kept = []; for (let i = 0; ; i++) kept.push({ i, more: [i] });"
    function = deploy(code, language="javascript", runtime=runtime, memory_limit_mb=64)
    assert function["warnings"][0]["code"] == "out_of_memory"


def test_a_function_that_aborts_itself_is_not_out_of_memory(api, deploy, runtime):
    code = "exports.handler = () => { console.error('out of memory'); process.abort(); };"
    function = deploy(code, language="javascript", runtime=runtime)
    assert check_problem(api.execute(function), 502, "sandbox_exited")["signal"] == "SIGABRT"


def test_an_option_of_its_own_for_the_heap_is_refused_with_what_to_do(api):
    body = {"name": "heap", "language": "javascript", "code": "exports.handler = () => 1;"}
    answer = api.post("/functions", json=body | {"environment": {"NODE_OPTIONS": "--max-old-space-size=4096"}})
    (error,) = check_problem(answer, 422, "invalid_function")["errors"]
    assert error["code"] == "no_effect" and "memory_limit_mb" in error["message"]

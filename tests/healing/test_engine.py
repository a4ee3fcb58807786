"""Docker Engine or containerd ends and comes back: requests succeed again within seconds, and nothing is left over."""

import signal

import pytest
from support import RUNTIMES, wait_for

BACK_S = 10  # from Docker Engine's return to success again, in every language and runtime


def refused_or_ended(answer, engine_away):
    """What a client may get meanwhile: it is told at once that there is no sandbox, or its own has been ended."""
    if (answer.status, answer.code) == (503, "runtime_unavailable"):
        return engine_away and int(answer.headers["Retry-After"]) >= 1
    return (answer.status, answer.code) == (502, "sandbox_exited")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["is restarted", "is killed"])
def test_docker_engine(how, api, docker, start_traffic):
    all_traffic = [start_traffic(runtime) for runtime in RUNTIMES]
    docker.end(how)
    wait_for("it to be known", lambda: api.get("/readyz").json()["checks"]["docker"]["status"] == "failed", 5)
    assert api.get("/healthz").status_code == 200
    docker.start()
    for traffic in all_traffic:
        traffic.go_on(20, BACK_S)
        traffic.stop()
        assert [a for a in traffic.failed() if not refused_or_ended(a, True)] == []
        ended = [a for a in traffic.failed() if a.status == 502]
        assert len(ended) <= 2 * len(traffic.loads) * traffic.THREADS, ended
        assert traffic.api_load.failed() == []


def test_containerd_costs_no_warm_function_anything(api, containerd, deploy, start_traffic):
    functions = [deploy("def handler(event, context):\n    return 1\n", runtime=runtime) for runtime in RUNTIMES]
    all_traffic = [start_traffic(runtime) for runtime in RUNTIMES]
    before = containerd.process()
    before.kill()
    after = wait_for("Docker Engine to start another", containerd.process, 30)
    assert after.pid != before.pid
    for function in functions:
        wait_for("a function that had no sandbox", lambda f=function: api.execute(f).status_code == 200, BACK_S)
    for traffic in all_traffic:
        traffic.go_on(20, BACK_S)
        traffic.stop()
        assert traffic.failed() == []

"""PostgreSQL is away for a while, nginx is reloaded: no invocation of a warm function is lost, and each is on record."""

import os
import signal
import time

from support import wait_for

AWAY_S = float(os.environ.get("BERTH_TEST_DATABASE_AWAY_S", 60))


def test_postgresql_away_costs_no_invocation(api, postgres, start_traffic):
    traffic = start_traffic()
    postgres.end(signal.SIGINT)
    end = time.monotonic() + AWAY_S
    while time.monotonic() < end:
        for one in traffic.loads:
            one.wait_for_more(20, 5)
    postgres.start()
    wait_for("the API to work", lambda: {api.get("/functions?limit=1").status_code for _ in range(10)} == {200}, 10)
    traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []


def test_a_reload_of_nginx_loses_no_request(stack, start_traffic):
    traffic = start_traffic()
    for _ in range(5):
        before = {p.pid for p in stack.nginx_workers()}
        stack.nginx("-s", "reload")
        wait_for("new workers", lambda: {p.pid for p in stack.nginx_workers()} - before)
        traffic.go_on(20)
    traffic.stop()
    assert traffic.failed() == []
    assert traffic.api_load.failed() == []

"""Workers, the collector and PostgreSQL are killed at random under load; every answer is on record once, and adds up."""

import os
import random
import signal
import time
from pathlib import Path

from support import wait_for

CHAOS_S = float(os.environ.get("BERTH_TEST_CHAOS_S", 120))
DIFFERENCES = Path(__file__).parents[1] / "support/rollup_differences.sql"


PROVEN_S = 11  # a little more than THROTTLE_PROVEN_US in fcgi/master/children/throttle.h


def age_s(process):
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    return uptime_s - int(process.start_time) / os.sysconf("SC_CLK_TCK")


class Chaos:
    def __init__(self, stack, database, postgres, seed):
        self.stack, self.database, self.postgres = stack, database, postgres
        self.random = random.Random(seed)
        self.done = {}
        self.deeds = [self.kill_worker, self.kill_worker, self.kill_collector, self.kill_backend, self.crash_postgresql]

    def kill_one(self, role):
        """One that has lived a while: who dies young again and again is started with growing pauses, which is tested elsewhere."""
        found = [p for p in self.stack.children(role) if age_s(p) > PROVEN_S]
        if found:
            self.random.choice(found).kill()

    def kill_worker(self):
        self.kill_one("invoke")

    def kill_collector(self):
        self.kill_one("collector")

    def kill_backend(self):
        """In the middle of whatever the collector has it do: PostgreSQL then recovers as from a crash."""
        query = "select pid from pg_stat_activity where application_name = 'berth collector'"
        for row in self.database.rows(query):
            os.kill(row["pid"], signal.SIGKILL)
        wait_for("PostgreSQL to recover", self.answers, 30)

    def crash_postgresql(self):
        self.postgres.end(signal.SIGQUIT)
        time.sleep(self.random.uniform(0, 3))
        self.postgres.start()

    def answers(self):
        try:
            return self.database.value("select 1") == 1
        except AssertionError:
            return False

    def act(self):
        deed = self.random.choice(self.deeds)
        deed()
        self.done[deed.__name__] = self.done.get(deed.__name__, 0) + 1


def test_whatever_is_killed_every_answer_is_stored_once_and_adds_up(database, postgres, stack, start_traffic):
    traffic = start_traffic(pause_s=0.01)  # so that a kill finds requests under way
    chaos = Chaos(stack, database, postgres, seed=20261125)
    end = time.monotonic() + CHAOS_S
    while time.monotonic() < end:
        time.sleep(chaos.random.uniform(0.2, 1.5))
        chaos.act()
        traffic.go_on(5, 30)
    assert chaos.done.keys() == {deed.__name__ for deed in chaos.deeds}, chaos.done
    traffic.go_on(20)
    traffic.stop()
    traffic.check_records()
    answered = sum(1 for one in traffic.loads for a in one.answers if a.invocation_id)
    print(f"{answered} answers, killed: {chaos.done}")
    assert answered > 10 * CHAOS_S

    database.run(DIFFERENCES.read_text())
    wait_for("what is kept by minute, hour and day to be what was stored", lambda: database.value("select rollup_differences()") == 0, 30)

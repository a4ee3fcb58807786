"""Steady load while something breaks, and what has to be true of it afterwards."""

from support import wait_for

RECOVERY_S = 10

QUICK = {
    "python": "def handler(event, context):\n    print(event)\n    return event\n",
    "javascript": "exports.handler = async (event) => { console.log(event); return event; };\n",
}


class Traffic:
    """A steady load on a function in each language and on the API, and what must be true of it in the end."""

    THREADS = 3

    def __init__(self, api, database, deploy, load, pause_s=0, **fields):
        self.database = database
        self.functions = [deploy(code, language=language, **fields) for language, code in QUICK.items()]
        self.loads = [load(lambda f=f: api.execute(f, "x"), threads=self.THREADS, pause_s=pause_s) for f in self.functions]
        self.api_load = load(lambda: api.get(f"/functions/{self.functions[0]['id']}"), threads=1, pause_s=pause_s)
        self.go_on(20)

    def go_on(self, count, timeout_s=RECOVERY_S):
        for one in self.loads:
            one.wait_for_more(count, timeout_s)
        self.api_load.wait_for_more(count // 4, timeout_s)

    def stop(self):
        for one in (*self.loads, self.api_load):
            one.stop()

    def failed(self):
        return [a for one in self.loads for a in one.failed()]

    def check_records(self):
        """Every invocation that Berth answered is in metrics exactly once, as it was answered."""
        for function, one in zip(self.functions, self.loads):
            answered = {a.invocation_id: a for a in one.answers if a.invocation_id}
            assert all(a.invocation_id for a in one.answers if a.status == 200)
            wait_for(
                "all that was answered to be stored",
                lambda: self.database.stored(function["id"]).keys() >= answered.keys(),
                20,
            )
            stored = self.database.stored(function["id"])
            assert {i: len(rows) for i, rows in stored.items() if len(rows) != 1} == {}
            # What is stored beyond that was done for a client that got no answer of Berth's.
            assert len(stored) - len(answered) <= len(one.answers) - len(answered)
            for i, answer in answered.items():
                assert (stored[i][0]["status"], stored[i][0]["error_code"]) == (answer.status, answer.code)
            logs = self.database.rows(
                "select metric_id, count(*) as n from invocation_logs where function_id = :'id' group by 1", id=function["id"]
            )
            assert {row["n"] for row in logs} <= {1}
            assert {row["metric_id"] for row in logs} >= {i for i, a in answered.items() if a.status == 200}

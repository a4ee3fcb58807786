"""The berth command without a platform: its arguments, its numbers, and a page that nothing in the figures can break."""

import html.parser
import json
import pathlib
import random
import statistics
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from berth_cli import Failure, bench, figures, load, report, table, workloads  # noqa: E402

HOSTILE = '<script>alert("&\'1")</script>\x1b[2J'
NOBODY = ["--url", "https://127.0.0.1:1"]


def berth(*arguments):
    return subprocess.run([ROOT / "scripts/berth", *arguments], capture_output=True, text=True, timeout=60)


# Arguments


def test_help_names_the_commands_and_each_explains_itself():
    assert "bench" in berth("--help").stdout
    told = berth("bench", "--help").stdout
    for option in ("--runtimes", "--concurrency", "--duration", "--rounds", "--cold", "--input", "--report", "--json", "--all", "--url", "--ca"):
        assert option in told


def test_the_version_is_told():
    assert berth("--version").stdout.startswith("berth ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--concurrency", "0"],
        ["--concurrency", "1,1"],
        ["--concurrency", "one"],
        ["--concurrency", "513"],
        ["--duration", "nan"],
        ["--duration", "0"],
        ["--rounds", "0"],
        ["--cold", "-1"],
        ["--runtimes", "docker,docker"],
        ["--runtimes", ""],
        ["--input", "{"],
    ],
)
def test_a_wrong_option_is_refused_with_its_name(arguments):
    done = berth("bench", "x", *NOBODY, *arguments)
    assert done.returncode == 2
    assert f"argument {arguments[0]}" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments, words, code",
    [
        ([], "either FUNCTION or --all", 2),
        (["x", "--all"], "either FUNCTION or --all", 2),
        (["./there-is-none"], "there is no folder", 1),
        (["x"], "127.0.0.1:1", 1),
        (["x", "--url", "http://localhost"], "https://HOST:PORT", 2),
        (["x", "--url", "https://localhost:x"], "cannot use", 2),
        (["x", "--ca", "/does/not/exist"], "cannot use", 1),
        (["x", "--report", "/does/not/exist"], "cannot write", 1),
    ],
)
def test_what_cannot_work_is_told_in_one_line_and_what_was_called_wrongly_with_a_code_of_its_own(arguments, words, code):
    done = berth("bench", *NOBODY, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("berth: ") and words in done.stderr and done.stderr.count("\n") == 1


# Workloads


def test_the_languages_are_those_in_the_tree():
    found = [json.loads(file.read_text()) for file in (ROOT / "runtimes").glob("*/runtime.json")]
    assert workloads.SOURCES == {language["source_file"]: language["language"] for language in found}


def test_all_workloads_are_there_in_all_languages():
    found = workloads.all_of_them(ROOT / "scripts/workloads")
    assert {s.name for s in found} == {
        f"{group}/{language}" for group in ("cpu", "memory", "files", "syscalls", "startup") for language in workloads.SOURCES.values()
    }


def test_folders_in_a_folder_have_names_of_their_own(tmp_path):
    for name in ("fast", "slow"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").write_text("x")
    assert [s.name for s in workloads.from_path(tmp_path)] == [f"{tmp_path.name}/fast", f"{tmp_path.name}/slow"]


def test_settings_and_input_of_a_folder_are_taken_and_nonsense_is_refused(tmp_path):
    (tmp_path / "main.py").write_text("x")
    (tmp_path / "function.json").write_text('{"settings": {"memory_limit_mb": 256}, "input": [1]}')
    (subject,) = workloads.from_path(tmp_path)
    assert (subject.body, subject.input) == ({"memory_limit_mb": 256, "language": "python", "code": "x"}, [1])
    for text in ("{", "[]", '{"settings": 1}', '{"other": 1}'):
        (tmp_path / "function.json").write_text(text)
        with pytest.raises(Failure):
            workloads.from_path(tmp_path)


class Limits:
    """A platform that has three runtimes."""

    def get(self, path):
        assert path == "/limits"
        return {"function": {"runtime": {"values": ["docker", "gvisor", "kata"]}}}


def test_all_runtimes_of_the_platform_are_compared():
    assert bench.all_runtimes(Limits()) == ["docker", "gvisor", "kata"]


# Numbers


def test_percentiles_are_those_of_the_library():
    values = sorted(random.Random(1).uniform(0, 100) for _ in range(1001))
    expected = statistics.quantiles(values, n=100, method="inclusive")
    for percent in (1, 50, 90, 99):
        assert figures.percentile(values, percent) == pytest.approx(expected[percent - 1])
    assert figures.percentile([], 50) is None and figures.percentile([7], 99) == 7


def test_a_summary_is_of_all_values_in_any_order():
    told = figures.summary([3, 1, 2])
    assert (told["count"], told["min"], told["p50"], told["max"], told["mean"]) == (3, 1, 2, 3, 2)
    assert figures.summary([]) == {"count": 0}


def test_ratios_and_means_know_what_is_not_there():
    assert figures.ratio(6, 3) == 2
    assert figures.ratio(None, 3) is None and figures.ratio(3, None) is None and figures.ratio(3, 0) is None
    assert figures.geometric_mean([2, 8, None]) == pytest.approx(4) and figures.geometric_mean([]) is None


@pytest.mark.parametrize("value, told", [(None, "–"), (0, "0"), (0.01234, "0.0123"), (9.876, "9.88"), (1234.5, "1234")])
def test_numbers_have_as_many_digits_as_count(value, told):
    assert figures.number(value) == told


def test_an_answer_is_read_from_its_bytes():
    head = (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nBerth-Start: cold\r\n"
            b"Server-Timing: queue;dur=1.5, init;dur=0.250, exec;dur=12.000\r\n\r\n")
    assert load.length_of(head[:-1]) is None
    assert load.length_of(head + b"abc") == (len(head), len(head) + 3)
    answer = load.Answer(2.0, head, b"abc")
    assert (answer.status, answer.start, answer.timing) == (200, "cold", {"queue": 1.5, "init": 0.25, "exec": 12.0})
    assert load.Answer(2.0, b"", b"").status == 0


# The page


def side(ms):
    start = {"latency_ms": figures.summary([ms * 10, ms * 11]), "samples_ms": [ms * 10, ms * 11]}
    warm = {"latency_ms": figures.summary([ms, ms + 1]), "per_second": 1000 / ms, "failed": {}}
    server = {"cpu_ms": {"mean": ms}, "memory_bytes": {"max": 1e7}, "complete": True}
    return {"cold": start, "prewarmed": start, "warm": {"1": warm, "8": warm}, "server": server}


def result(name="f", runtimes=("docker", "gvisor")):
    subject = {"name": name, "group": None, "language": name, "language_version": name, "memory_limit_mb": 128,
               "runtimes": {r: side(2 * i + 2) for i, r in enumerate(runtimes)}}
    client = {"latency_ms": figures.summary([1]), "per_second": 1, "cpu_us": 50}
    return {"berth": name, "command": f"berth bench {name}", "date": "d", "machine": [[name, name]],
            "options": {"runtimes": list(runtimes), "concurrency": [1, 8], "duration": 1, "rounds": 1, "cold": 2},
            "client": {"1": client, "8": client}, "subjects": [subject, subject], "missing": []}


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_names_that_are_markup_stay_text():
    page = Page(report.page(result(HOSTILE)))
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in page.words


def test_the_page_loads_nothing_and_has_all_charts():
    text = report.page(result())
    page = Page(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    assert "src=" not in text and "url(" not in text and "href" not in text
    assert sum(tag == "svg" for tag, _ in page.tags) == 4 + 2 * 5


def test_a_runtime_alone_or_without_starts_makes_a_page_as_well():
    alone = result(runtimes=("docker",))
    for subject in alone["subjects"]:
        for kind in ("cold", "prewarmed"):
            subject["runtimes"]["docker"][kind] = {"latency_ms": figures.summary([]), "samples_ms": []}
    assert Page(report.page(alone)).open == []
    assert "÷" not in table.text(alone["subjects"][0])


def test_the_page_of_a_run_that_ended_early_names_what_is_missing():
    assert "Missing" not in report.page(result())
    page = Page(report.page(result() | {"missing": ["cpu", HOSTILE]}))
    assert page.open == []
    assert f"It ended before all was measured. Missing: cpu, {HOSTILE}." in page.words


def test_a_terminal_is_not_told_what_it_would_obey():
    assert "\x1b" not in table.text(result(HOSTILE)["subjects"][0])


def test_failed_calls_are_told():
    broken = result()["subjects"][0]
    broken["runtimes"]["gvisor"]["warm"]["8"]["failed"] = {"429": 3, "0": 1}
    told = table.text(broken)
    assert "gVisor, 8 at a time: 3 calls were answered 429" in told and "1 calls were answered not at all" in told


def test_the_overview_is_a_table_of_ratios_with_their_mean():
    lines = table.overview(result()).splitlines()
    assert lines[0].startswith("| gVisor ÷ Docker | warm call, median |")
    assert lines[2] == lines[3] and "| geometric mean |" in lines[4]
    assert {line.count("|") for line in lines} == {6}
    assert table.overview(result(runtimes=("docker",))) == ""

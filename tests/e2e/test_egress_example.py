"""
A real HTTPS call from a sandbox, in both languages on both runtimes: the functions and commands of runtimes/egress.md, as they stand
there. The internet that they reach is on this machine: a name server, and a server whose certificate an authority of ours has signed.
"""

import json
import re
import subprocess

import pytest
from documents import blocks, comments, names_of_the_tour, read, replaced, run_script
from https import NAME, SERVER, make_certificate
from machines import PYTHON, Outside
from support import RUNTIMES, check_problem, wait_for

DOCUMENT = "runtimes/egress.md"

FETCH = {
    "urllib": (
        "python",
        "import urllib.request\n"
        "def handler(event, context):\n"
        "    with urllib.request.urlopen(event, timeout=2) as answer:\n"
        "        return answer.status\n",
    ),
    "fetch": (
        "javascript",
        "exports.handler = async (event) => (await fetch(event, { signal: AbortSignal.timeout(2000) })).status;\n",
    ),
    "https": (
        "javascript",
        "exports.handler = (event, context, callback) => {\n"
        "    require('https').get(event, (answer) => callback(null, answer.resume().statusCode)).on('error', callback);\n"
        "};\n",
    ),
}
# The rows of the document's table: network, and what is asked.
FAILURES = {
    "The function has no network, and uses a name": ("none", f"https://{NAME}/"),
    "The function has no network, and uses an address": ("none", "https://PRIVATE/"),
    "There is no such name": ("egress", "https://nowhere.example.com/"),
    "The address is private, or the host's, and not allowed": ("egress", "https://PRIVATE/"),
    "The port is in `egress.deny_ports`": ("egress", f"https://{NAME}:25/"),
    "Nobody listens there": ("egress", f"https://{NAME}:444/"),
    "The certificate is of an authority that is not trusted": ("egress", f"https://{NAME}:8443/"),
}


class Internet(Outside):
    """Whose name server knows one name, and where two HTTPS servers listen: one whose authority is known, one that nobody knows."""

    def __init__(self, directory):
        super().__init__()
        self.authority = make_certificate(directory / "authority.pem", "Berth's tests")
        known = make_certificate(directory / "known.pem", NAME, f"DNS:{NAME},IP:{self.private}", self.authority)
        stranger = make_certificate(directory / "stranger.pem", "Somebody")
        unknown = make_certificate(directory / "unknown.pem", NAME, f"DNS:{NAME}", stranger)
        server = self.start(PYTHON, "-c", SERVER, known, unknown, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert server.stdout.readline() == "listens\n"
        self.resolve(self.private, NAME, self.public)
        self.resolv_conf = directory / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {self.private}\n")


@pytest.fixture(scope="module")
def internet(tmp_path_factory, reload_once):
    directory = tmp_path_factory.mktemp("internet")
    for part in (directory, *directory.parents[:2]):
        part.chmod(0o755)
    internet = Internet(directory)
    try:
        # The exception is for the last test, which changes it: so it is given back as well.
        reload_once(f"egress.resolv_conf={internet.resolv_conf}", f"sandbox.ca_file={internet.authority}", "egress.allow=192.168.7.9")
        yield internet
    finally:
        internet.close()


@pytest.fixture(scope="module", params=[(way, network) for way in FETCH for network in ("egress", "none")], ids="-".join)
def asked(request, api, deploy_once, internet, runtime):
    """asked(url): the answer of a function that asks it; way and network are its members."""
    way, network = request.param
    language, code = FETCH[way]
    function = deploy_once(code, language, runtime=runtime, network=network, timeout_ms=10000)

    def ask(url):
        return api.execute(function, url.replace("PRIVATE", internet.private))

    ask.way, ask.network = way, network
    return ask


def test_a_server_is_asked_over_https_and_its_certificate_is_verified(asked):
    answer = asked(f"https://{NAME}/")
    if asked.network == "egress":
        assert answer.json() == {"output": 200}
    else:
        check_problem(answer, 502, "function_error")


def table():
    """What fails → what is said about it in Python and in JavaScript: texts of which each, or one of the alternatives, is in the error."""
    rows = re.findall(r"^\| (?!---)(.+?) \| (.+?) \| (.+?) \|$", read(DOCUMENT), re.M)
    return {what: {"python": python, "javascript": javascript} for what, python, javascript in rows}


def test_the_table_of_failures_has_what_is_tried():
    assert list(table()) == list(FAILURES)


def test_a_failure_looks_as_the_document_says(asked):
    told = table()
    for what, (network, url) in FAILURES.items():
        if network != asked.network:
            continue
        error = check_problem(asked(url), 502, "function_error")["error"]
        text = "\n".join([error["message"], *error["stack"]])
        alternatives = re.split("; |, or ", told[what][FETCH[asked.way][0]])
        assert any(all(word in text for word in re.findall("`([^`]+)`", one)) for one in alternatives), (what, text)


@pytest.fixture
def commands(stack, internet, tmp_path, api):
    """commands(heading): runs what the document says there, in a directory with the files that it shows."""
    for language, file in (("python", "main.py"), ("javascript", "main.js")):
        ((_, code),) = blocks(DOCUMENT, language)
        (tmp_path / file).write_text(code + "\n")

    def run(heading, *replacements):
        text = replaced(dict(blocks(DOCUMENT))[heading], *replacements)
        done = run_script(f"{names_of_the_tour(stack)}\n{text}", tmp_path)
        assert done.returncode == 0, done.stderr + done.stdout
        return text, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    yield run
    for language in ("python", "javascript"):
        api.delete(f"/functions/title-{language}")


def test_the_example_works_as_written(commands, runtime):
    text, (python, python_answer, javascript, javascript_answer) = commands(
        "An example", ('network: "egress"', f'network: "egress", runtime: "{runtime}"')
    )
    for function in (python, javascript):
        assert (function["runtime"], function["network"], function.get("warnings")) == (runtime, "egress", None)
    (said,) = comments(text)
    assert python_answer == javascript_answer == json.loads(said)


def test_a_server_of_ones_own_is_reached_after_the_commands_for_it(commands, api, deploy, internet, stack):
    functions = [
        deploy(code, language, runtime=runtime, network="egress", timeout_ms=10000) for language, code in FETCH.values() for runtime in RUNTIMES
    ]
    url = f"https://{internet.private}/"
    for function in functions:
        check_problem(api.execute(function, url), 502, "function_error")
    mark = stack.log_mark()
    commands(
        "Servers of your own",
        ("scripts/stack", str(stack.script)),
        ("/opt/berth/var", str(stack.dir)),
        ("/etc/ssl/our-authority.pem", str(internet.authority)),
        ("/etc/berth-authorities.pem", str(internet.resolv_conf.parent / "authorities.pem")),
        ("10.1.2.0/24", internet.private),
    )
    wait_for("poolmgr to follow", lambda: re.search("proc=poolmgr .*settings reloaded", stack.log_since(mark)))
    for function in functions:
        assert api.output(function, url) == 200

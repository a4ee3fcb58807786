"""What comes before a running platform: configure, make install, and what quickstart makes of its options."""

import hashlib
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = {  # pkg-config's name of each library configure asks for, and the Debian package that brings it
    "libpq": "libpq-dev",
    "jansson": "libjansson-dev",
    "libcurl": "libcurl4-openssl-dev",
    "libuv": "libuv1-dev",
    "inih": "libinih-dev",
    "libarchive": "libarchive-dev",
    "libsodium": "libsodium-dev",
}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


# configure


@pytest.fixture
def configure(tmp_path):
    """Runs configure in a directory of its own, where pkg-config finds all libraries but those named."""

    def configure(*without, arguments=()):
        known = tmp_path / "pkgconfig"
        known.mkdir()
        for directory in run("pkg-config", "--variable", "pc_path", "pkg-config").stdout.strip().split(":"):
            for file in pathlib.Path(directory).glob("*.pc"):
                if file.stem not in without and not (known / file.name).exists():
                    (known / file.name).symlink_to(file)
        where = {"PKG_CONFIG_PATH": str(known), "PKG_CONFIG_LIBDIR": str(known)}
        return run(ROOT / "configure", "--quiet", *arguments, cwd=tmp_path, env=os.environ | where)

    return configure


def named(done):
    """The packages that configure's message names."""
    assert done.returncode != 0
    assert "error: libraries are missing; install these Debian packages and run configure again:" in done.stderr
    return re.findall(r"^    (\S+) \(", done.stderr, re.M)


@pytest.mark.parametrize("library", PACKAGES)
def test_configure_names_a_missing_library_and_its_package(configure, library, tmp_path):
    done = configure(library)
    assert named(done) == [PACKAGES[library]]
    assert re.search(rf"^    {PACKAGES[library]} \({library} >= ", done.stderr, re.M)
    assert not (tmp_path / "Makefile").exists()


def test_configure_names_all_missing_libraries_at_once(configure):
    assert named(configure(*PACKAGES)) == list(PACKAGES.values())


def test_configure_names_missing_headers_too(configure):
    """Those libraries have no pkg-config file to hide: the answers are put into configure's mouth."""
    done = configure(arguments=["ac_cv_header_fcgiapp_h=no", "ac_cv_header_utlist_h=no"])
    assert named(done) == ["libfcgi-dev", "uthash-dev"]


# make install


@pytest.fixture(scope="module")
def build():
    build = os.environ.get("BERTH_BUILD")
    if not build:
        pytest.exit("BERTH_BUILD not set: scripts/check --only build sets it", 4)
    return pathlib.Path(build)


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """The prefix of an installation that is staged in a directory."""
    stage = tmp_path_factory.mktemp("stage")
    prefix = re.search(r"^prefix = (/.*)$", (build / "Makefile").read_text(), re.M)[1]
    done = run("make", "-C", build, "-s", "install", f"DESTDIR={stage}")
    assert done.returncode == 0, done.stderr
    assert [str(path) for path in stage.iterdir()] == [f"{stage}/{prefix.split('/')[1]}"]
    return pathlib.Path(f"{stage}{prefix}")


@pytest.mark.parametrize(
    "path",
    [
        "bin/berth",
        "sbin/berthd",
        "libexec/berth/runtimes/python/runtime.json",
        "libexec/berth/runtimes/javascript/runtime.json",
        "libexec/berth/scripts/stack",
        "libexec/berth/scripts/migrate",
        "libexec/berth/scripts/lib.sh",
        "share/berth/migrations/0001_create_functions.sql",
        "share/berth/nginx/berth.conf.in",
        "share/berth/static/index.html",
        "share/berth/static/openapi.json",
        "share/berth/berth_cli/main.py",
        "share/berth/workloads/cpu/python/main.py",
        "share/doc/berth/berth.conf.example",
    ],
)
def test_make_install_puts_files_into_the_usual_directories(installed, path):
    file = installed / path
    assert file.is_file()
    assert os.access(file, os.X_OK) == (path.startswith(("bin/", "sbin/")) or (path.endswith(("stack", "migrate"))))


def test_make_install_puts_nothing_anywhere_else(installed):
    assert {path.name for path in installed.iterdir()} == {"bin", "sbin", "libexec", "share"}
    assert {path.name for path in (installed / "bin").iterdir()} == {"berth"}
    assert {path.name for path in (installed / "sbin").iterdir()} == {"berthd", "berthd-invoke"}
    assert {path.name for path in (installed / "share").iterdir()} == {"berth", "doc"}
    assert {path.name for path in (installed / "share" / "doc").iterdir()} == {"berth"}
    assert {path.name for path in (installed / "libexec").iterdir()} == {"berth"}


def test_no_migration_is_left_behind(installed):
    there = {path.name for path in (ROOT / "migrations").glob("*.sql")}
    assert {path.name for path in (installed / "share" / "berth" / "migrations").iterdir()} == there


def test_no_part_of_stack_is_left_behind(installed):
    there = {path.name for path in (ROOT / "scripts" / "stack.d").iterdir()}
    assert {path.name for path in (installed / "libexec" / "berth" / "scripts" / "stack.d").iterdir()} == there


def test_an_installed_berthd_says_its_version_and_checks_a_configuration(installed):
    berthd, example = installed / "sbin" / "berthd", installed / "share" / "doc" / "berth" / "berth.conf.example"
    version = run(berthd, "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(r"berthd \d+\.\d+\.\d+\n", version.stdout)
    checked = run(berthd, "--config", example, "--check-config")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, f"berthd: '{example}' is valid\n", "")


@pytest.mark.parametrize("arguments", [[], ["--status"], ["--check-config"]])
def test_berthd_without_a_configuration_refuses_and_says_where_it_looked(build, arguments):
    """It would start a second platform, or speak about one that nobody has set up."""
    prefix = re.search(r"^prefix = (/.*)$", (build / "Makefile").read_text(), re.M)[1]
    looked_for = pathlib.Path(prefix, "etc/berth/berth.conf")
    if looked_for.exists():
        pytest.skip(f"there is {looked_for}")
    done = run(build / "berthd", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no configuration: looked for '{looked_for}'" in done.stderr
    assert "--config=FILE" in done.stderr
    assert not pathlib.Path(prefix, "var/run/berth").exists()


def test_without_a_configuration_the_defaults_are_printed_and_called_so(build):
    done = run(build / "berthd", "--dump-config")
    assert (done.returncode, done.stdout) == (0, run(build / "berthd", "--config", "/dev/null", "--dump-config").stdout)
    assert "these are the defaults" in done.stderr


def test_an_installed_berth_says_its_version_and_has_all_its_modules_and_workloads(installed):
    version = run(installed / "bin" / "berth", "--version")
    assert (version.returncode, version.stderr) == (0, "")
    assert re.fullmatch(r"berth \d+\.\d+\.\d+\n", version.stdout)
    for folder, pattern in (("berth_cli", "*.py"), ("workloads", "*/*/*")):
        there = {path.relative_to(ROOT / "scripts" / folder) for path in (ROOT / "scripts" / folder).glob(pattern)}
        into = installed / "share" / "berth" / folder
        assert {path.relative_to(into) for path in into.glob(pattern)} == there


@pytest.mark.parametrize("script", ["images", "migrate", "render-nginx", "stack"])
def test_installed_scripts_explain_themselves(installed, script):
    shown = run(installed / "libexec" / "berth" / "scripts" / script, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"usage: {script}" in shown.stdout or f"| {script}" in shown.stdout


def test_installed_scripts_find_what_they_come_with(installed):
    settings = run(installed / "sbin" / "berthd", "--config", "/dev/null", "--dump-config").stdout
    rendered = run(
        installed / "libexec" / "berth" / "scripts" / "render-nginx",
        *["--dir", "/tmp/none", "--https-port", "8443", "--http-port", "8080"],
        input=settings,
    )
    assert (rendered.returncode, rendered.stderr) == (0, "")
    assert f"root {installed}/share/berth/static" in rendered.stdout
    assert "/tmp/none/tls/cert.pem" in rendered.stdout


# quickstart


def test_quickstart_explains_its_options():
    shown = run(ROOT / "scripts" / "quickstart", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    for option in ("--https-port", "--http-port", "--prefix", "--down"):
        assert option in shown.stdout
    refused = run(ROOT / "scripts" / "quickstart", "--nonsense")
    assert refused.returncode == 2 and "--nonsense" in refused.stderr


# Nothing is done where a real quickstart may have been.
STACK = """#!/bin/sh
echo "$@" >{}/stack
[ "$3" != /opt/berth/var ] || exit 1
mkdir -p "$3/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -keyout /dev/null -out "$3/tls/cert.pem" 2>/dev/null
printf 'https-port=1\\nhttp-port=2\\n' >"$3/options"
"""
CURL = r"""#!/bin/bash
for ((i = 1; i < $#; i++)); do
    [[ ${!i} != -o ]] || { j=$((i + 1)) && answer=${!j}; }
    [[ ${!i} != -D ]] || { j=$((i + 1)) && headers=${!j}; }
done
echo 'Berth-Start: cold' >"$headers"
if [[ $* == */execute/* ]]; then
    echo '{"output":"hello"}' >"$answer" && echo 200
else
    echo '{"name":"hello-x","language":"lang-x","runtime":"runtime-x","version":7,"warnings":["w"]}' >"$answer"
    echo 201
fi
"""


@pytest.fixture
def quickstart(tmp_path):
    """quickstart on a machine where what it calls does nothing; returns its run and what it had scripts/stack do."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    scripts, programs = tmp_path / "scripts", tmp_path / "bin"
    stubs = {
        tmp_path / "configure": "#!/bin/sh\n",
        scripts / "packages": "#!/bin/sh\n",
        scripts / "gvisor": "#!/bin/sh\nexit ${GVISOR_STATUS-0}\n",
        scripts / "stack": STACK.format(tmp_path),
        programs / "make": "#!/bin/sh\n",
        programs / "curl": CURL,
    }
    for file, text in stubs.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    for name in ("quickstart", "lib.sh", "remove.sh"):
        (scripts / name).write_text((ROOT / "scripts" / name).read_text())

    def quickstart(*arguments, **environment):
        path = {"PATH": f"{programs}:{os.environ['PATH']}"}
        done = run("bash", scripts / "quickstart", *arguments, env=os.environ | path | environment)
        return done, (tmp_path / "stack").read_text().split()

    return quickstart


def test_each_prefix_has_containers_of_its_own(quickstart, short_path):
    def instance(prefix):
        done, arguments = quickstart("--prefix", prefix)
        assert done.returncode == 0, done.stderr
        assert arguments[:3] == ["up", "--dir", f"{prefix}/var"]
        return arguments[arguments.index("--instance") + 1]

    prefixes = [str(short_path / name) for name in ("a", "b", "A", "a/b", "a-b", "opt/berth")]
    names = [instance(prefix) for prefix in prefixes]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"quickstart-[a-z0-9_.-]+", name) and len(name) < 40 for name in names)
    assert [instance(prefix) for prefix in prefixes] == names


def test_the_containers_of_the_usual_prefix_have_a_readable_name(quickstart):
    _, arguments = quickstart()
    assert arguments[:7] == ["up", "--dir", "/opt/berth/var", "--prefix", "/opt/berth", "--instance", "quickstart"]


def test_without_gvisor_functions_run_on_docker_by_default(quickstart):
    _, arguments = quickstart()
    assert arguments[7:] == ["--set", "sandbox.default_runtime="]
    done, arguments = quickstart(GVISOR_STATUS="1")
    assert arguments[7:] == ["--set", "sandbox.default_runtime=docker"]
    assert "without gVisor" in done.stderr


def test_what_quickstart_deploys_is_said_in_a_line_for_people(quickstart, short_path):
    done, _ = quickstart("--prefix", str(short_path / "p"))
    deployed = [line.strip() for line in done.stderr.splitlines() if "deployed" in line]
    assert deployed == [
        "ok hello-x deployed: version 7, language lang-x, runtime runtime-x"
    ] * 2


# quickstart --remove

DOCKER = r"""#!/bin/bash
case $1 in
version) [[ -f $STUBS/engine-runs ]] ;;
images)
    [[ ! -f $STUBS/images ]] || case $* in *format*) cat "$STUBS/images" ;; *) echo x ;; esac
    ;;
rmi) shift 2; echo "$@" >"$STUBS/removed-images"; rm "$STUBS/images" ;;
ps) [[ ! -f $STUBS/containers ]] || cat "$STUBS/containers" ;;
esac
"""
DOCKERD = r"""#!/bin/bash
touch "STUBS/engine-runs" "STUBS/engine-was-started"
trap 'rm -f "STUBS/engine-runs"; exit' TERM
while :; do sleep 0.1; done
"""
# In a machine of its own, as far as users, /etc, /run, /usr/local, processes, the network and Docker Engine go: without Berth; then
# the operator has been there ($BEFORE), and then Berth ($AFTER is what happens beside it).
ALONE = r"""
mount --bind "$STUBS/etc" /etc && mount -t tmpfs none /run && mount -t tmpfs none /usr/local &&
    mount --bind "$STUBS/dockerd" "$(PATH=/usr/sbin:/usr/bin command -v dockerd)" || exit 99
source "$SOURCE/scripts/lib.sh"
for user in "${berth_users[@]}"; do
    ! getent passwd "$user" >/dev/null || userdel "$user" || exit 98
done
rm -f "$docker_config"* "$berth_apt_source"
mkdir -p /etc/docker /etc/apt/sources.list.d
bash -c "$BEFORE" || exit 97
cp -a /etc "$STUBS/before"
mkdir -p "$engine_dir/stacks"
for user in "${berth_users[@]}"; do
    useradd --system --user-group --no-create-home "$user" || exit 96
done
for name in berth-runsc berth-other; do
    register_runtime "$docker_config" "$name" '{"path": "x"}' || exit 95
done
printf 'deb x\n' >"$berth_apt_source"
install -D "$SOURCE/scripts/egress-runtime" "$egress_runtime" && mkdir -p "$egress_run_dir/x" || exit 94
bash -c "$AFTER" || exit 93
"$SOURCE/scripts/quickstart" --remove --prefix "$PREFIX"
code=$?
for user in "${berth_users[@]}"; do getent passwd "$user"; done
find /run /usr/local -mindepth 1 ! -type d
exit $code
"""


def tree(directory):
    """What is in it, but for what the programs that change users keep as it was before: kind, mode, owner and text of each."""
    found = {}
    for path in directory.rglob("*"):
        name, status = str(path.relative_to(directory)), path.lstat()
        if name.endswith("-") or name == ".pwd.lock":
            continue
        text = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        if name == "docker/daemon.json" and path.is_file() and not path.is_symlink():
            text = json.loads(text)
        found[name] = (oct(status.st_mode), status.st_uid, status.st_gid, text)
    return found


@pytest.fixture
def remove(build, tmp_path, short_path):
    """quickstart --remove on a machine where it has been before; the docker command and the stack are put on."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    stubs, source, prefix = tmp_path / "stubs", tmp_path / "source", short_path / "opt" / "berth"
    for path in (stubs, source):
        path.mkdir()
    run("cp", "-a", "/etc", stubs / "etc")
    run("cp", "-r", ROOT / "scripts", source / "scripts")
    for name, text in (("docker", DOCKER), ("dockerd", DOCKERD)):
        (stubs / name).write_text(text.replace("STUBS/", f"{stubs}/") if name == "dockerd" else text)
        (stubs / name).chmod(0o755)
    (source / "scripts/stack").write_text('#!/bin/sh\necho "$@" >"$STUBS/stack"\n')
    (stubs / "engine-runs").touch()
    (stubs / "images").write_text("berth-python:bookworm aaa\n<none>:<none> bbb\n")
    done = run("make", "-C", build, "-s", "install", f"prefix={prefix}")
    assert done.returncode == 0, done.stderr
    for name in ("log", "nginx", "pids", "postgres", "recipes", "run", "state", "tls"):
        (prefix / "var" / name).mkdir(parents=True)
    for name in ("options", "berth.conf", "lock", "tls/cert.pem", "tls/key.pem", "recipes/.installed"):
        (prefix / "var" / name).write_text(name)
    sums = [hashlib.sha256(name.encode()).hexdigest() for name in ("tls/cert.pem", "tls/key.pem")]
    (prefix / "var/tls/made-here").write_text("\n".join(sums) + "\n")

    def remove(before="true", after="true"):
        environment = {
            "PATH": f"{stubs}:{os.environ['PATH']}", "STUBS": str(stubs), "SOURCE": str(source), "PREFIX": str(prefix),
            "BEFORE": before, "AFTER": after,
        }  # fmt: skip
        command = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "bash", "-c", ALONE]
        return run(*command, env=os.environ | environment)

    remove.stubs, remove.prefix = stubs, prefix
    return remove


def test_remove_takes_away_all_that_quickstart_has_brought_and_says_so(remove):
    config = '{"log-level": "warn", "runtimes": {"mine": {"path": "y"}}}'
    done = remove(
        f"umask 027; echo '{config}' >/etc/docker/daemon.json; chgrp adm /etc/docker/daemon.json",
        "touch /etc/docker/daemon.json.lock",  # of an earlier version
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr  # users, and what was in /run and /usr/local, are gone
    assert (remove.stubs / "stack").read_text() == f"down --dir {remove.prefix}/var\n"
    assert not remove.prefix.exists()
    before = tree(remove.stubs / "before")
    assert tree(remove.stubs / "etc") == before and before["docker/daemon.json"][3] == json.loads(config)
    assert (remove.stubs / "removed-images").read_text().split() == ["bbb", "berth-python:bookworm"]
    for words in ("functions, metrics and settings", "programs", "the system user berth", "the system user berth-warden", "the images bbb berth-python:bookworm",
                  "the runtimes berth-other, berth-runsc", "the apt source"):  # fmt: skip
        assert f"removed {words}" in done.stderr
    assert "Debian packages stay" in done.stderr and "left:" not in done.stderr


def test_a_configuration_of_docker_that_said_nothing_else_goes_with_it(remove):
    done = remove()
    assert done.returncode == 0, done.stderr
    assert not (remove.stubs / "etc/docker/daemon.json").exists()
    assert tree(remove.stubs / "etc") == tree(remove.stubs / "before")


@pytest.mark.parametrize("text", ["{}", '{"log-level": "warn"}'])
def test_a_configuration_of_docker_that_is_kept_elsewhere_stays_there(remove, text):
    done = remove(f"mkdir /etc/mine; echo '{text}' >/etc/mine/docker.json; chmod 600 /etc/mine/docker.json; "
                  "ln -s ../mine/docker.json /etc/docker/daemon.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = tree(remove.stubs / "before"), tree(remove.stubs / "etc")
    written = [tree.pop("mine/docker.json") for tree in (before, after)]
    assert after == before and "docker/daemon.json" in after
    assert written[0][:3] == written[1][:3] and json.loads(written[0][3]) == json.loads(written[1][3])


def test_an_engine_that_was_stopped_with_the_stack_is_asked_for_its_images_all_the_same(remove):
    (remove.stubs / "engine-runs").unlink()
    done = remove()
    assert done.returncode == 0 and "removed the images" in done.stderr, done.stderr
    assert (remove.stubs / "engine-was-started").exists() and not (remove.stubs / "engine-runs").exists()


@pytest.mark.parametrize("other", ["container", "process", "stack"])
def test_what_another_berth_on_the_machine_uses_stays(remove, other):
    after = "true"
    if other == "container":
        (remove.stubs / "containers").write_text("cccc\n")
    elif other == "process":
        after = "setpriv --reuid berth --clear-groups sleep 60 & sleep 0.3"
    else:
        (remove.stubs / "elsewhere").mkdir()
        (remove.stubs / "elsewhere" / "options").touch()
        after = f"echo {remove.stubs}/elsewhere >/run/berth-docker/stacks/x"
    done = remove(after=after)
    assert done.returncode == 0 and done.stdout.startswith("berth:"), done.stderr
    assert "left: users, images, runtimes" in done.stderr
    assert (remove.stubs / "images").exists() and (remove.stubs / "etc/apt/sources.list.d/berth-backports.list").exists()
    assert not remove.prefix.exists()


def test_what_the_operator_has_put_there_stays_and_is_named(remove):
    mine = {"tls/cert.pem": "mine", "tls/key.pem": "mine", "recipes/python": "mine"}
    for name, text in mine.items():
        (remove.prefix / "var" / name).write_text(text)
    done = remove()
    assert done.returncode == 0, done.stderr
    there = {str(path.relative_to(remove.prefix / "var")): path.read_text() for path in remove.prefix.rglob("*") if path.is_file()}
    assert there == mine
    for name in mine:
        assert f"left: {remove.prefix}/var/{name}, which is yours" in done.stderr


def test_a_prefix_that_others_use_keeps_what_is_theirs(remove):
    (remove.prefix / "bin" / "other").write_text("x")
    assert remove().returncode == 0
    assert [path for path in remove.prefix.rglob("*") if path.is_file()] == [remove.prefix / "bin" / "other"]


# scripts/stack, scripts/egress


@pytest.mark.parametrize(
    "setting, reason",
    [
        ("egress.allow=database.example", "egress.allow: 'database.example' is neither an IPv4 address nor a range of them"),
        ("egress.allow=10.0.0.1:70000", "egress.allow: '70000' is no list of ports"),
        ("egress.deny_ports=smtp", "egress.deny_ports: 'smtp' is no list of ports"),
        ("sandbox.uid_count=65001", "sandbox.uid_count is more than the network has addresses for: 65000"),
        ("log.level=nonsense", "log.level"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_starts_and_not_stored(installed, short_path, setting, reason):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    stack, ports = ROOT / "scripts/stack", ("--https-port", "0", "--http-port", "0")
    done = run(stack, "up", "--dir", short_path / "s", "--prefix", installed, *ports, "--set", setting)
    made = {path.name for path in (short_path / "s").iterdir()}
    if "options" in made:
        run(stack, "down", "--dir", short_path / "s")
    assert done.returncode == 1 and reason in done.stderr, done.stderr
    assert not made & {"options", "options.new", "berth.conf", "berth.conf.new"}
    assert not list((short_path / "s/pids").iterdir())


def test_whether_settings_of_the_network_can_be_is_checked_and_nothing_done(build, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    config = tmp_path / "berth.conf"

    def check(allow):
        config.write_text(f"[master]\ninstance = none\n[egress]\nallow = {allow}\n")
        return run(ROOT / "scripts/egress", "check", "--config", config, "--berthd", build / "berthd")

    accepted = check("10.0.0.0/8:5432,8000-8100 192.0.2.1")
    assert (accepted.returncode, accepted.stdout, accepted.stderr) == (0, "", "")
    refused = check("10.0.0.0/33")
    assert (refused.returncode, refused.stdout) == (1, "") and "egress.allow: '10.0.0.0/33'" in refused.stderr
    assert not pathlib.Path("/run/berth-egress/none").exists()


# scripts/gvisor


@pytest.fixture
def register(tmp_path):
    """Registers runsc in a configuration of Docker Engine's that says this; returns what it says then."""
    config = tmp_path / "docker" / "daemon.json"

    def register(text=None):
        if text is not None:
            config.parent.mkdir(exist_ok=True)
            config.write_text(text)
        nobody = tmp_path / "nobody.sock"
        done = run(ROOT / "scripts" / "gvisor", "--no-install", "--config", config, "--socket", nobody)
        return done, config.read_text()

    return register


def test_what_else_docker_engine_is_told_stays(register):
    other = {"path": "/usr/bin/other", "runtimeArgs": ["--x"]}
    before = {"log-level": "warn", "runtimes": {"other": other}, "dns": ["192.0.2.1"]}
    done, after = register(json.dumps(before))
    assert done.returncode == 0, done.stderr
    now = json.loads(after)
    assert now["runtimes"].pop("berth-runsc")["path"]
    assert now == before
    assert register()[1] == after  # and the second time it is left alone


def test_where_docker_engine_is_told_nothing_yet_it_is_told_that_alone(register):
    done, after = register("{}")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(after)) == ["runtimes"]


def test_a_configuration_that_is_no_json_is_left_as_it_is(register, tmp_path):
    done, after = register("{ no json")
    assert done.returncode != 0
    assert after == "{ no json"
    assert [path.name for path in (tmp_path / "docker").iterdir()] == ["daemon.json"]


def test_registering_keeps_mode_owner_and_symlink_of_the_configuration_and_leaves_nothing_beside_it(register, tmp_path):
    file, link = tmp_path / "mine.json", tmp_path / "docker" / "daemon.json"
    file.write_text("{}")
    file.chmod(0o640)
    os.chown(file, 0, 4)
    link.parent.mkdir()
    link.symlink_to("../mine.json")
    done, after = register()
    assert done.returncode == 0 and "berth-runsc" in after, done.stderr
    assert link.is_symlink() and json.loads(file.read_text()) == json.loads(after)
    status = file.stat()
    assert (oct(status.st_mode), status.st_uid, status.st_gid) == ("0o100640", 0, 4)
    assert [path.name for path in link.parent.iterdir()] == ["daemon.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"docker", "mine.json"}

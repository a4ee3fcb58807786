# shellcheck shell=bash
# Functions shared by the scripts. Sourced, after `set -euo pipefail`.

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
    _bold=$'\e[1m' _green=$'\e[32m' _yellow=$'\e[33m' _red=$'\e[31m' _plain=$'\e[0m'
else
    _bold='' _green='' _yellow='' _red='' _plain=''
fi

# Progress goes to stderr, so that what a script prints as its answer can be piped.
step() { printf '%s==> %s%s\n' "$_bold" "$*" "$_plain" >&2; }
info() { printf '    %s\n' "$*" >&2; }
ok() { printf '    %sok%s %s\n' "$_green" "$_plain" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$_yellow" "$_plain" "$*" >&2; }
die() {
    printf '%s%s: %s%s\n' "$_red" "${0##*/}" "$*" "$_plain" >&2
    exit 1
}

# The comment block at the top of the script that was run is its help.
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# need_value OPTION ARGUMENTS_LEFT: dies when an option came without its value.
need_value() { (($2 >= 2)) || die "$1 needs a value"; }

# data_dir: what the scripts come with (migrations/, nginx/, static/): the source tree, or PREFIX/share/berth when installed
# as PREFIX/libexec/berth/scripts.
data_dir() {
    local home
    home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    [[ $home == */libexec/berth ]] && home=${home%/libexec/berth}/share/berth
    printf '%s' "$home"
}

need_root() { ((EUID == 0)) || die "must run as root"; }

# wait_until SECONDS COMMAND…: 0 as soon as COMMAND succeeds, 1 when the time is over.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# A pid file of ours holds "pid start-time". The start time tells our process from a later one with the same pid.
_start_time() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z ]] || return 1
    printf '%s' "${fields[19]}"
}

pid_save() { printf '%s %s\n' "$2" "$(_start_time "$2")" >"$1"; }

# pid_of FILE: prints the pid when that very process still runs.
pid_of() {
    local pid start
    [[ -r $1 ]] && read -r pid start <"$1" || return 1
    [[ -n $start && $(_start_time "$pid") == "$start" ]] || return 1
    printf '%s' "$pid"
}

running() { pid_of "$1" >/dev/null; }
_gone() { ! running "$1"; }

# daemon_start PIDFILE LOG COMMAND…: in a session of its own, with a clean environment and none of our locks (8, 9).
daemon_start() {
    local pidfile=$1 log=$2
    shift 2
    (
        cd /
        exec 8>&- 9>&- setsid env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" \
            </dev/null >>"$log" 2>&1
    ) &
    pid_save "$pidfile" $! || return 1
    disown
}

# daemon_stop PIDFILE SIGNAL SECONDS: asks with SIGNAL, ends the whole session by force when the time is over.
daemon_stop() {
    local pidfile=$1 pid
    if pid=$(pid_of "$pidfile"); then
        kill "-$2" "$pid"
        if ! wait_until "$3" _gone "$pidfile"; then
            warn "${pidfile##*/} (pid $pid) did not stop within $3 s and is killed"
            kill -KILL -- "-$pid" 2>/dev/null || true
            wait_until 10 _gone "$pidfile" || die "pid $pid cannot be killed"
        fi
    fi
    rm -f "$pidfile"
}

# free_port: prints a TCP port of 127.0.0.1 that nobody listens on, below the range the kernel hands out.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        if ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s' "$port"
            return
        fi
    done
}

# have_systemd: is systemd the init of this machine?
have_systemd() { [[ -d /run/systemd/system ]]; }

# ---- Runtimes of Docker Engine: entries of its configuration, beside whatever is configured there

# register_runtime CONFIG NAME ENTRY: one at a time changes the file, whole or not at all.
register_runtime() {
    (
        mkdir -p "${1%/*}"
        exec 7>"$1.lock"
        flock --timeout 60 7 || die "'$1' is locked"
        now='{}'
        [[ ! -s $1 ]] || now=$(<"$1")
        if jq -e --arg name "$2" --argjson entry "$3" '.runtimes[$name] == $entry' <<<"$now" >/dev/null; then
            ok "registered as $2"
            exit
        fi
        jq --arg name "$2" --argjson entry "$3" '.runtimes[$name] = $entry' <<<"$now" >"$1.new" ||
            die "'$1' is not JSON: nothing was changed"
        mv "$1.new" "$1"
        ok "registered as $2 in $1"
    )
}

# _engine_has CONFIG SOCKET: does it offer all runtimes of CONFIG, just as they are there?
_engine_has() {
    local offered
    offered=$(curl -fsS --max-time 5 --unix-socket "$2" http://docker/info 2>/dev/null) || return 1
    jq -e --argjson offered "$offered" '.runtimes // {} | to_entries
        | all($offered.Runtimes[.key] as $one | $one.path == .value.path and ($one.runtimeArgs // []) == (.value.runtimeArgs // []))' \
        "$1" >/dev/null 2>&1
}

# tell_engine CONFIG SOCKET: a running engine reads its runtimes again, which disturbs no container.
tell_engine() {
    local pid
    curl -fsS --max-time 5 --unix-socket "$2" http://docker/_ping >/dev/null 2>&1 || return 0
    ! _engine_has "$1" "$2" || return 0
    if pid=$(pgrep -o -f "^[^ ]*dockerd .*unix://$2( |\$)"); then
        kill -HUP "$pid"
    elif have_systemd; then
        systemctl reload docker
    elif pid=$(pgrep -o -x dockerd); then
        kill -HUP "$pid"
    fi
    wait_until 10 _engine_has "$1" "$2" || die "Docker Engine does not offer the runtimes of $1: see its log"
    ok "Docker Engine has read it"
}

# configure_build SOURCE_DIR BUILD_DIR CONFIGURE_OPTION…: only when it was not done with these options yet. Later changes to
# configure.ac or Makefile.am are make's own business.
configure_build() {
    local source=$1 build=$2
    shift 2
    [[ -x $source/configure ]] || (cd "$source" && autoreconf -i >&2) || die "autoreconf failed"
    mkdir -p "$build"
    if [[ -f $build/Makefile && -f $build/configured-with && $(<"$build/configured-with") == "$*" ]]; then
        return
    fi
    (cd "$build" && "$source/configure" --quiet "$@" >&2) || die "configure failed: see $build/config.log"
    printf '%s\n' "$*" >"$build/configured-with"
}

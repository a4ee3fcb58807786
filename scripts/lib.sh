# shellcheck shell=bash
# Functions shared by the scripts. Sourced, after `set -euo pipefail`.

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
    _bold=$'\e[1m' _green=$'\e[32m' _yellow=$'\e[33m' _red=$'\e[31m' _plain=$'\e[0m'
else
    _bold='' _green='' _yellow='' _red='' _plain=''
fi

# Progress goes to stderr, so that a script's result on stdout can be piped.
step() { printf '%s==> %s%s\n' "$_bold" "$*" "$_plain" >&2; }
info() { printf '    %s\n' "$*" >&2; }
ok() { printf '    %sok%s %s\n' "$_green" "$_plain" "$*" >&2; }
warn() { printf '%swarning:%s %s\n' "$_yellow" "$_plain" "$*" >&2; }
die() {
    printf '%s%s: %s%s\n' "$_red" "${0##*/}" "$*" "$_plain" >&2
    exit 1
}

# misuse MESSAGE: reports a wrong command line and exits with code 2; nothing was done yet.
misuse() {
    printf '%s%s: %s (see --help)%s\n' "$_red" "${0##*/}" "$*" "$_plain" >&2
    exit 2
}

# The path of the running script, determined before it changes the directory, because $0 may be relative.
_script=$(realpath -- "$0")

# usage: prints the comment block at the top of the running script as its help, and exits.
usage() {
    awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$_script"
    exit
}

# need_value OPTION ARGUMENTS_LEFT: refuses an option without its value.
need_value() { (($2 >= 2)) || misuse "$1 needs a value"; }

# need_port OPTION TEXT: accepts 0 to 65535; what 0 means is up to the caller.
need_port() {
    if ! [[ $2 =~ ^(0|[1-9][0-9]{0,4})$ ]] || (($2 > 65535)); then
        misuse "$1 takes the number of a port, 0 to 65535, not '$2'"
    fi
}

# read_settings NAME: reads the output of berthd --dump-config into the associative array NAME, by section.key.
# shellcheck disable=SC2034 # into is another name of that array
read_settings() {
    local -n into=$1
    local line section=''
    while IFS= read -r line; do
        case $line in
        '' | ';'*) ;;
        '['*']') section=${line:1:-1} ;;
        *' = '*) into[$section.${line%% = *}]=${line#* = } ;;
        esac
    done
}

# ---- What the scripts leave on a machine besides the directories they are given; quickstart --remove removes it.

# shellcheck disable=SC2034 # used by those who source this
{
    berth_users=(berth berth-control berth-follow berth-pool berth-collector berth-warden) # system users, made by stack
    berth_apt_source=/etc/apt/sources.list.d/berth-backports.list     # made by gvisor
    docker_config=/etc/docker/daemon.json                             # gvisor registers runtimes in it
    berth_runtimes=berth-                                             # whose names begin so
    engine_dir=/run/berth-docker                                      # who uses Docker Engine, whether it was started for them, locks
    egress_runtime=/usr/local/libexec/berth-egress-runtime            # made by egress
    egress_run_dir=/run/berth-egress                                  # likewise
    image_label=berth.recipe                                          # on all images that images has built
    # What make install puts into a prefix, and what stack puts into its directory, except tls and recipes.
    berth_installed=(bin/berth sbin/berthd sbin/berthd-invoke libexec/berth share/berth share/doc/berth)
    stack_entries=(berth.conf berth.conf.new docker install lock log nginx options options.new pids postgres run state)
}

# data_dir: the directory of the scripts' data (migrations/, nginx/, static/): the source tree, or PREFIX/share/berth when installed
# as PREFIX/libexec/berth/scripts.
data_dir() {
    local home
    home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    [[ $home == */libexec/berth ]] && home=${home%/libexec/berth}/share/berth
    printf '%s' "$home"
}

need_root() { ((EUID == 0)) || die "must run as root"; }

# wait_until SECONDS COMMAND…: returns 0 as soon as COMMAND succeeds, 1 when the time is over.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

# Our pid files contain "pid start-time". The start time distinguishes our process from a later one with the same pid.
_start_time() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != Z ]] || return 1
    printf '%s' "${fields[19]}"
}

pid_save() { printf '%s %s\n' "$2" "$(_start_time "$2")" >"$1"; }

# pid_of FILE: prints the pid if that process still runs.
pid_of() {
    local pid start
    [[ -r $1 ]] && read -r pid start <"$1" || return 1
    [[ -n $start && $(_start_time "$pid") == "$start" ]] || return 1
    printf '%s' "$pid"
}

# children_of PID: prints the pids of its children. pgrep reads more of each process of the machine, and takes twice as long.
children_of() { { grep -ls "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status || true; } | cut -d / -f 3; }

running() { pid_of "$1" >/dev/null; }
_gone() { ! running "$1"; }

# Logs may be read by root and Debian's group for administrators only.
log_group=adm

# log_file FILE: creates the file, unless it exists, so that only these can read it.
log_file() {
    (umask 077 && : >>"$1")
    chgrp "$log_group" "$1"
    chmod 640 "$1"
}

# daemon_start PIDFILE LOG COMMAND…: starts COMMAND in its own session, with a clean environment and without our locks (8, 9).
daemon_start() {
    local pidfile=$1 log=$2
    shift 2
    log_file "$log"
    (
        cd /
        umask 027
        exec 8>&- 9>&- setsid env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" \
            </dev/null >>"$log" 2>&1
    ) &
    pid_save "$pidfile" $! || return 1
    disown
}

# daemon_stop PIDFILE SIGNAL SECONDS: sends SIGNAL, and kills the whole session when the time is over.
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

# writers LOG: prints the pids of the daemon that daemon_start began with that log, and of all its descendants. Their stderr is that log,
# even after it was rotated, so they can be recognised when the daemon itself was killed.
writers() { find /proc/[0-9]*/fd/2 -maxdepth 0 -lname "$1*" -printf '%h\n' 2>/dev/null | cut -d / -f 3 || true; }
_nobody_writes() { [[ -z $(writers "$1") ]]; }

# daemon_clear LOG SIGNAL SECONDS: ends the processes that a daemon has left behind.
daemon_clear() {
    local rest name=${1##*/}
    mapfile -t rest < <(writers "$1")
    ((${#rest[@]})) || return 0
    info "${name%.log}: ${#rest[@]} processes are left, and are ended: ${rest[*]}"
    kill "-$2" "${rest[@]}" 2>/dev/null || true
    wait_until "$3" _nobody_writes "$1" && return
    mapfile -t rest < <(writers "$1")
    warn "${name%.log}: ${rest[*]} did not stop within $3 s and are killed"
    ((${#rest[@]} == 0)) || kill -KILL "${rest[@]}" 2>/dev/null || true
    wait_until 10 _nobody_writes "$1" || die "pids $(writers "$1" | xargs) cannot be killed"
}

# The sockets that listen on a port of 127.0.0.1, ::1 or all addresses.
_listening_sockets() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" '
        BEGIN { ones[""] = ones["0100007F"] = ones["00000000000000000000000001000000"] = ones["0000000000000000FFFF00000100007F"] }
        $4 == "0A" && substr($2, length($2) - 4) == port {
            address = substr($2, 1, length($2) - 5)
            if (address ~ /^0+$/ || address in ones) print $10
        }'
}

# port_holders PORT: prints the pids that listen on it, "?" for one that is not visible from here, and nothing if the port is free.
port_holders() {
    local sockets socket links=()
    mapfile -t sockets < <(_listening_sockets "$1")
    ((${#sockets[@]})) || return 0
    for socket in "${sockets[@]}"; do
        links+=(-o -lname "socket:\[$socket\]")
    done
    # A walk through all descriptors of the machine, once for all sockets of the port.
    { find /proc/[0-9]*/fd -maxdepth 1 \( "${links[@]:1}" \) -printf '%l %h\n' 2>/dev/null || true; } |
        awk -v sockets="${sockets[*]}" '
            { split($2, part, "/"); print part[3]; seen[$1] }
            END {
                for (i = split(sockets, one, " "); i > 0; i--)
                    if (!("socket:[" one[i] "]" in seen)) print "?"
            }' | sort -u
}

# holds_port PID PORT: whether all sockets that listen on the port belong to the process. There is at least one.
holds_port() {
    local sockets socket held
    mapfile -t sockets < <(_listening_sockets "$2")
    ((${#sockets[@]})) || return 1
    held=$(find "/proc/$1/fd" -maxdepth 1 -lname 'socket:*' -printf '%l\n' 2>/dev/null) || return 1
    for socket in "${sockets[@]}"; do
        [[ $held == *"socket:[$socket]"* ]] || return 1
    done
}

# process_text PID: describes the process for people.
process_text() {
    local line=''
    { line=$(tr '\0' ' ' <"/proc/$1/cmdline"); } 2>/dev/null || true
    if [[ $line ]]; then
        printf 'pid %s (%.80s)' "$1" "${line% }"
    else
        printf 'a process that cannot be seen from here'
    fi
}

# free_port: prints a TCP port that is not in use, below the range of ephemeral ports.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        if [[ -z $(_listening_sockets "$port") ]]; then
            printf '%s' "$port"
            return
        fi
    done
}

# is_noted FILE NOTES: whether NOTES contains the SHA-256 of FILE's content as a line.
is_noted() {
    local sum
    sum=$(sha256sum <"$1") && grep -qxF -- "${sum%% *}" "$2" 2>/dev/null
}

# unchanged FILE TEXT: whether TEXT is the whole content of FILE
unchanged() { [[ -f $1 && $(<"$1") == "$2" ]]; }

# key_pin CERTIFICATE: prints the argument of curl --insecure --pinnedpubkey, so that the server must have the key of that certificate,
# although the certificate may be for another name or expired.
key_pin() {
    printf 'sha256//'
    openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64
}

# language_versions RUNTIMES_DIR: prints a line for each version of each language: its name, as in python-3.13, its image, its command,
# and whether it is the default version.
language_versions() {
    jq -r '. as $l | .versions[] | "\($l.language)-\(.version) \(.image) \($l.command[0]) \(.version == $l.default_version)"' \
        "$1"/*/runtime.json
}

# Recipes in an installation belong to Berth, and the next installation overwrites them. A recipe that was edited is moved to
# DIR/LANGUAGE-VERSION before, where it is used instead and not overwritten: keep_edited_recipes DIR, make install, note_recipes PREFIX DIR.
keep_edited_recipes() {
    local sum file kept
    [[ -f $1/.installed ]] || return 0
    while read -r sum file; do
        [[ -f $file && $(sha256sum <"$file") != "$sum  -" ]] || continue
        kept=$1/$(basename "${file%/image/*}")-${file##*/}
        kept=${kept%-recipe} # before there were versions, it was the language's
        [[ ! -e $kept ]] || kept+=.edited-$(date +%Y%m%d%H%M%S)
        mv "$file" "$kept"
        warn "'$file' was edited; it is '$kept' now, which is yours: Berth's own recipes are overwritten by each installation"
    done <"$1/.installed"
}
note_recipes() {
    local label language files=()
    compgen -G "$1/libexec/berth/runtimes/*/runtime.json" >/dev/null || return 0
    while read -r label _; do
        language=${label%-*}
        files+=("$1/libexec/berth/runtimes/$language/image/${label#"$language"-}")
    done < <(language_versions "$1/libexec/berth/runtimes")
    mkdir -p "$2"
    sha256sum "${files[@]}" >"$2/.installed"
}

# have_systemd: whether systemd is the init of this machine
have_systemd() { [[ -d /run/systemd/system ]]; }

# ---- Runtimes of Docker Engine: entries in its configuration, besides what is configured there already

# rewrite FILE: replaces the file by standard input in one step. Its mode, its owner and a symlink to it are kept.
rewrite() {
    local file new
    file=$(realpath -m -- "$1")
    new=$file.new
    { [[ ! -e $file ]] || cp -a --attributes-only -- "$file" "$new"; } && cat >"$new" && mv -- "$new" "$file" && return
    rm -f -- "$new"
    return 1
}

# register_runtime CONFIG NAME ENTRY [NAME ENTRY]…: adds the entries under a lock, and replaces the file in one step.
register_runtime() {
    local config=$1 wanted='' names=()
    shift
    while (($#)); do
        wanted+="${wanted:+, }\"$1\": $2"
        names+=("$1")
        shift 2
    done
    (
        mkdir -p "${config%/*}" "$engine_dir"
        exec 7>"$engine_dir/runtimes.lock"
        flock --timeout 60 7 || die "'$config' is locked"
        now='{}'
        [[ ! -s $config ]] || now=$(<"$config")
        new=$(jq --argjson wanted "{$wanted}" 'select(.runtimes + $wanted != .runtimes) | .runtimes += $wanted' <<<"$now") ||
            die "'$config' is not JSON: nothing was changed"
        if [[ $new ]]; then
            rewrite "$config" <<<"$new" || die "'$config' could not be written"
        fi
        ok "registered${new:+ in $config}: ${names[*]}"
    )
}

# _engine_has CONFIG SOCKET: whether the engine has all runtimes of CONFIG, exactly as configured; 2 if nobody listens at the socket
_engine_has() {
    local offered
    offered=$(curl -fsS --max-time 5 --unix-socket "$2" http://docker/info 2>/dev/null) || return $(($? == 7 ? 2 : 1))
    jq -e --argjson offered "$offered" '.runtimes // {} | to_entries
        | all($offered.Runtimes[.key] as $one | $one.path == .value.path and ($one.runtimeArgs // []) == (.value.runtimeArgs // []))' \
        "$1" >/dev/null 2>&1 || return 1
}

# tell_engine CONFIG SOCKET: makes a running engine reload its runtimes, which disturbs no container.
tell_engine() {
    local pid has=0
    _engine_has "$1" "$2" || has=$?
    ((has == 1)) || return 0
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

# configure_build SOURCE_DIR BUILD_DIR CONFIGURE_OPTION…: runs configure, unless it was run with these options before. make itself
# handles later changes to configure.ac or Makefile.am.
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

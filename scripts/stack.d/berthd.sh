# shellcheck shell=bash
# berthd: its configuration, start, upgrade, reload and stop.

render_berth_conf() {
    cat <<CONF
; Written by scripts/stack, which overwrites it; change a setting with: stack up --dir $dir --set section.key=value
[master]
instance = ${option[instance]}
state_dir = $dir/state
run_dir = $dir/run
[database]
conninfo = $(database_conninfo)
[sandbox]
runtimes_dir = $libexec/runtimes
[tls]
address = 127.0.0.1:${option[https-port]}
CONF
    ! own_docker || printf '[docker]\nsocket = %s\ncontainerd_dirs = %s\n' "$dir/docker/docker.sock" "$dir/docker/exec"
    local one key images
    images=$(own_images)
    for one in "${settings[@]}"; do
        [[ $one != sandbox.images=* ]] || images+=${one#*=} # what is set goes before a recipe
    done
    [[ -z $images ]] || printf '[sandbox]\nimages = %s\n' "$images"
    for one in "${settings[@]}"; do
        [[ $one != sandbox.images=* ]] || continue
        key=${one%%=*}
        printf '[%s]\n%s = %s\n' "${key%%.*}" "${key#*.}" "${one#*=}"
    done
}

# new_berth_conf makes berth.conf.new and has berthd check it, and scripts/egress its network settings. take_berth_conf puts it in
# place; only then are the options stored, too.
new_berth_conf() {
    local answer
    (umask 077 && rm -f "$dir/berth.conf.new" && render_berth_conf >"$dir/berth.conf.new")
    answer=$("$berthd" --config "$dir/berth.conf.new" --check-config 2>&1) || refuse "berthd refuses these settings: $answer"
    answer=$("$here/egress" check --config "$dir/berth.conf.new" --berthd "$berthd" 2>&1) || refuse "these settings are refused: $answer"
}

# refuse MESSAGE: ends with an error; berth.conf and options stay as they are.
refuse() {
    rm -f "$dir/berth.conf.new"
    die "$@"
}

take_berth_conf() {
    mv "$dir/berth.conf.new" "$dir/berth.conf"
    save_options
    load_settings
}

# What berthd said of berth.conf when it was last read, and the effective values in it: berthd is asked once for all of them.
dump=''
declare -A effective=()
load_settings() {
    dump=$("$berthd" --config "$dir/berth.conf" --dump-config 2>/dev/null) || true
    effective=()
    read_settings effective <<<"$dump"
}

# setting SECTION.KEY: prints its effective value
setting() { [[ -v effective[$1] ]] && printf '%s\n' "${effective[$1]}"; }

# berthd_fingerprint DUMP: a hash of everything that only a restart can change: the program, the runtimes, and the settings that
# --dump-config marks so.
berthd_fingerprint() {
    {
        find "$libexec/runtimes" -type f -print0 | sort -z | xargs -0 sha256sum "$berthd"
        awk '/^\[/ || /changes at restart$/ { getline more; print $0, more }' <<<"$1"
    } | sha256sum
}

up_berthd() {
    step "berthd"
    local fingerprint
    fingerprint=$(berthd_fingerprint "$dump")
    if running "$pids/berthd" && ! retired_berthd; then
        if unchanged "$pids/berthd.fingerprint" "$fingerprint"; then
            reload_berthd
            return
        fi
        info "program or settings have changed: restarting"
        stop_berthd
    fi
    install -m 600 "$dir/berth.conf" "$pids/berthd.conf"
    printf '%s\n' "$fingerprint" >"$pids/berthd.fingerprint"
    daemon_start "$pids/berthd" "$dir/log/berthd.log" "$berthd" --config "$dir/berth.conf" ||
        fail_with_log "berthd did not start" berthd
    if ! wait_until 60 berthd_is_master_or_gone || ! running "$pids/berthd"; then
        fail_with_log "berthd did not start" berthd
    fi
    ok "started"
}

# berthd writes its pid file when it has its sockets and starts its children.
berthd_is_master_or_gone() {
    local pid
    pid=$(pid_of "$pids/berthd") || return 0
    unchanged "$dir/run/berthd.pid" "$pid"
}

# After an upgrade, even one that was not started here, berthd is another process, which is named in its pid file.
follow_berthd() {
    local pid
    pid=$(upgraded_pid) && pid_save "$pids/berthd" "$pid"
    return 0
}

# upgraded_pid: prints the pid of a berthd of this stack that differs from the one in pids/berthd
upgraded_pid() {
    local pid
    read -r pid 2>/dev/null <"$dir/run/berthd.pid" || return 1
    [[ $(pid_of "$pids/berthd") != "$pid" && $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *--config[=\ ]"$dir/berth.conf "* ]] ||
        return 1
    printf '%s' "$pid"
}

# A newer berthd had taken over from this one and was killed since: this one only finishes its requests.
retired_berthd() { [[ -r $dir/run/berthd.pid && $(<"$dir/run/berthd.pid") != "$(pid_of "$pids/berthd")" ]]; }

upgrade_berthd() {
    step "berthd"
    local log=$dir/log/berthd.log seen outcome=''
    seen=$(stat -c %s "$log")
    kill -USR2 "$(pid_of "$pids/berthd")"
    wait_until $(($(setting master.upgrade_timeout_ms) / 1000 + 15)) upgrade_is_over || true
    [[ $outcome == over ]] || fail_with_log "the upgrade failed, and the old berthd goes on" berthd
    install -m 600 "$dir/berth.conf" "$pids/berthd.conf"
    berthd_fingerprint "$dump" >"$pids/berthd.fingerprint"
    ok "pid $(pid_of "$pids/berthd") has taken over"
}

# For wait_until: sets outcome. The first seen bytes of the log are older.
upgrade_is_over() {
    if upgraded_pid >/dev/null; then
        follow_berthd
        outcome=over
    elif tail -c "+$((seen + 1))" "$log" | grep -q 'proc=master .*\(upgrade failed: .*goes on\|SIGUSR2: this\)'; then
        outcome=failed
    fi
    [[ $outcome ]]
}

# pids/berthd.conf is a copy of the configuration that berthd has read.
reload_berthd() {
    if cmp -s "$dir/berth.conf" "$pids/berthd.conf"; then
        ok "runs"
        return
    fi
    local pid old_children refused=no
    pid=$(pid_of "$pids/berthd")
    old_children=$(children_of "$pid")
    kill -HUP "$pid"
    wait_until 30 reload_is_over || fail_with_log "berthd did not read its new settings" berthd
    [[ $refused == no ]] || fail_with_log "berthd has refused its new settings" berthd
    install -m 600 "$dir/berth.conf" "$pids/berthd.conf"
    ok "reloaded"
}

# For wait_until: whether the children were replaced, as after new settings.
reload_is_over() {
    if new_lines berthd | grep -q 'proc=master .*reload refused'; then
        refused=yes
    else
        children_of "$pid" | grep -qvxF -f <(printf '%s\n' "$old_children")
    fi
}

stop_berthd() {
    local ms
    ms=$(setting master.stop_timeout_ms 2>/dev/null || true)
    ms=$((${ms:-30000} / 1000 + 15))
    daemon_stop "$pids/berthd" TERM "$ms"
}

down_berthd() {
    stop_berthd
    # The children of a killed berthd end by themselves; poolmgr ends the sandboxes first.
    wait_until 30 _nobody_writes "$dir/log/berthd.log" || daemon_clear "$dir/log/berthd.log" TERM 30
}

# shellcheck shell=bash
# The network of functions that may reach the internet (scripts/egress).

docker_config() { if own_docker; then printf '%s' "$dir/docker/daemon.json"; else printf /etc/docker/daemon.json; fi; }

# Starts the network of functions that may reach the internet, and `egress watch`, which runs as root with few capabilities. If the
# network does not work, poolmgr refuses these functions with the reason, and `egress watch` repairs it when that is possible.
up_egress() {
    "$here/egress" up --config "$dir/berth.conf" --berthd "$berthd" --socket "$docker_socket" --docker-config "$(docker_config)" ||
        warn "the network for egress does not work: functions that ask for it are refused, and all others go on"
    local fingerprint
    fingerprint=$(sha256sum "$here/egress" "$here/lib.sh")
    if running "$pids/egress" && unchanged "$pids/egress.fingerprint" "$fingerprint"; then
        return
    fi
    daemon_stop "$pids/egress" TERM 10
    daemon_start "$pids/egress" "$dir/log/egress.log" setpriv --no-new-privs \
        --bounding-set -all,+net_admin,+net_raw,+sys_admin --inh-caps -all "$here/egress" watch --instance "${option[instance]}" ||
        fail_with_log "the watch over the network for egress did not start" egress
    printf '%s\n' "$fingerprint" >"$pids/egress.fingerprint"
}

down_egress() {
    daemon_stop "$pids/egress" TERM 10
    "$here/egress" down --instance "${option[instance]}"
}

# shellcheck shell=bash
# Docker Engine: the machine's, which belongs to no stack, or one of the stack's own, below $dir/docker. engine_dir records which stacks
# use the machine's (stacks/), and whether it was started here: through systemd (systemd) or directly (dockerd, a pid file).

docker_socket=/var/run/docker.sock
docker_() { docker --host "unix://$docker_socket" "$@"; }
docker_answers() { curl -fsS --max-time 5 --unix-socket "$docker_socket" http://docker/_ping >/dev/null 2>&1; }
own_docker() { [[ ${option[docker]} == own ]]; }

up_docker() {
    step "Docker Engine"
    docker_socket=$(setting docker.socket)
    if own_docker; then
        start_own_docker
        copy_images
        up_images
        up_egress
        return
    fi
    mkdir -p "$engine_dir/stacks"
    (
        flock --timeout 120 8 || die "another command works on Docker Engine"
        [[ ! -f $engine_dir/dockerd.log ]] || log_file "$engine_dir/dockerd.log"
        if docker_answers; then
            ok "answers"
        else
            start_docker
            ok "started"
        fi
        printf '%s\n' "$dir" >"$engine_dir/stacks/${dir//\//_}"
    ) 8>"$engine_dir/lock"
    "$here/gvisor" --no-install --socket "$docker_socket"
    up_egress
    up_images
}

start_docker() {
    if have_systemd; then
        systemctl start docker || die "systemd could not start docker: see journalctl -u docker"
        touch "$engine_dir/systemd"
    else
        daemon_start "$engine_dir/dockerd" "$engine_dir/dockerd.log" dockerd --host "unix://$docker_socket" --log-level warn
    fi
    wait_until 60 docker_answers && return
    tail -n 20 "$engine_dir/dockerd.log" >&2 2>/dev/null || true
    die "Docker Engine does not answer at $docker_socket"
}

own_docker_answers_or_is_gone() { ! running "$pids/dockerd" || docker_answers; }

# It does not use what two engines would compete for: the firewall and the default bridge.
start_own_docker() {
    # An engine that is stopping takes a while to end its containers.
    wait_until 60 own_docker_answers_or_is_gone || fail_with_log "Docker Engine does not answer" dockerd
    if running "$pids/dockerd"; then
        ok "runs"
        return
    fi
    mkdir -p "$dir/docker"
    "$here/gvisor" --no-install --config "$dir/docker/daemon.json" --socket "$docker_socket"
    [[ -f $dir/docker/daemon.json ]] || printf '{}\n' >"$dir/docker/daemon.json"
    # Pid files left by a killed engine: dockerd would take later processes with these pids for itself and its containerd.
    rm -f "$dir/docker/pid" "$dir/docker/exec/containerd/containerd.pid"
    daemon_start "$pids/dockerd" "$dir/log/dockerd.log" dockerd --host "unix://$docker_socket" --log-level warn \
        --config-file "$dir/docker/daemon.json" --data-root "$dir/docker/data" --exec-root "$dir/docker/exec" \
        --pidfile "$dir/docker/pid" --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
    wait_until 60 own_docker_answers_or_is_gone || fail_with_log "Docker Engine does not answer" dockerd
    running "$pids/dockerd" || fail_with_log "Docker Engine has stopped" dockerd
    ok "started"
}

# thaw CONTAINER…: thaws containers, because Docker cannot end frozen ones, and a killed poolmgr leaves idle sandboxes frozen.
thaw() {
    local id file
    for id in "$@"; do
        while IFS= read -r file; do
            case $file in
            *.state) printf THAWED >"$file" ;;
            *) printf 0 >"$file" ;;
            esac
        done < <(find /sys/fs/cgroup -path "*$id*" \( -name freezer.state -o -name cgroup.freeze \) 2>/dev/null)
    done 2>/dev/null || true
}

containers() { docker_ ps -aq --no-trunc --filter "label=berth.instance=${option[instance]}"; }
has_no_containers() { [[ -z $(containers) ]]; }

# Docker Engine may be removing the container already on another request; then its answer does not wait for the end.
remove_containers() {
    local left=() said
    if ! docker_answers; then
        warn "Docker Engine does not answer: whether containers of this stack are left is not known"
        return 0
    fi
    mapfile -t left < <(containers)
    ((${#left[@]})) || return 0
    thaw "${left[@]}"
    said=$(docker_ rm -f -v "${left[@]}" 2>&1 >/dev/null) || true
    wait_until 60 has_no_containers ||
        die "containers are left (docker ps -a --filter label=berth.instance=${option[instance]}); Docker Engine says: ${said:-nothing}"
    info "removed ${#left[@]} containers that were left"
}

# Unmounts what a killed engine has left mounted.
unmount_below() {
    local _ path
    while read -r _ path _; do
        [[ $path != "$1"/* ]] || umount "$path"
    done < <(tac /proc/self/mounts)
}

# Stops Docker Engine if it was started here and no other stack needs it.
down_docker() {
    if own_docker; then
        daemon_stop "$pids/dockerd" TERM 30
        daemon_clear "$dir/log/dockerd.log" TERM 30
        unmount_below "$dir/docker"
        return
    fi
    [[ -d $engine_dir ]] || return 0
    (
        flock --timeout 120 8 || die "another command works on Docker Engine"
        rm -f "$engine_dir/stacks/${dir//\//_}"
        [[ -e $engine_dir/systemd || -e $engine_dir/dockerd ]] || exit 0
        if docker_in_use; then
            info "Docker Engine goes on for others"
            exit 0
        fi
        if [[ -e $engine_dir/systemd ]]; then
            systemctl stop docker.socket docker.service
            rm "$engine_dir/systemd"
        else
            daemon_stop "$engine_dir/dockerd" TERM 30
        fi
        ok "Docker Engine is stopped"
    ) 8>"$engine_dir/lock"
}

docker_in_use() {
    local file
    for file in "$engine_dir"/stacks/*; do
        # A stack whose directory was removed does not count.
        [[ -f $file && -f $(<"$file")/options ]] && return
    done
    docker_answers && [[ $(docker_ ps -q) ]]
}

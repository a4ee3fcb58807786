# shellcheck shell=bash disable=SC2154
# What quickstart --remove does once the stack is down. Sourced by it: prefix and stack_dir are its, berth_… and others are lib.sh's.

left=()   # what is not removed, and why
failed=() # what should have been

# remove WHAT PATH…: removes those of the paths that exist
remove() {
    local what=$1 path found=()
    shift
    for path in "$@"; do
        [[ ! -e $path && ! -L $path ]] || found+=("$path")
    done
    ((${#found[@]})) || return 0
    if rm -rf -- "${found[@]}"; then
        ok "removed $what: ${found[*]}"
    else
        failed+=("$what: ${found[*]} could not be removed")
    fi
}

# ---- The prefix, which others may use, too

# Files that were put there by hand stay.
keep_the_operators() {
    local file
    for file in "$stack_dir"/tls/{cert,key}.pem; do
        [[ ! -e $file ]] || ! is_noted "$file" "$stack_dir/tls/made-here" || rm -- "$file"
    done
    rm -f -- "$stack_dir/tls/made-here" "$stack_dir/recipes/.installed"
    for file in "$stack_dir"/{tls,recipes}/*; do
        [[ ! -e $file && ! -L $file ]] || left+=("$file, which is yours")
    done
}

remove_prefix() {
    step "Removing what is in $prefix"
    keep_the_operators
    remove "programs" "${berth_installed[@]/#/$prefix/}"
    remove "functions, metrics and settings" "${stack_entries[@]/#/$stack_dir/}"
    local dir
    for dir in "$stack_dir"/{tls,recipes,} "$prefix"/{bin,sbin,libexec,share/doc,share,}; do
        [[ ! -d $dir ]] || rmdir --ignore-fail-on-non-empty -- "$dir"
    done
    [[ ! -d $prefix ]] || left+=("$prefix, in which there is something else")
}

# ---- The machine

engine_answers() { docker version >/dev/null 2>&1; }

# Docker Engine may have been stopped with the stack: it is started to find Berth's images and containers, and stopped again.
engine_started=no
begin_engine() {
    engine_answers && return
    if have_systemd; then
        engine_started=systemd
        systemctl start docker || return 1
    else
        engine_started=$(mktemp -d)
        daemon_start "$engine_started/dockerd" "$engine_started/log" dockerd --log-level warn || return 1
    fi
    wait_until 60 engine_answers
}
end_engine() {
    case $engine_started in
    no) ;;
    systemd) systemctl stop docker.socket docker.service ;;
    *)
        daemon_stop "$engine_started/dockerd" TERM 30
        rm -rf -- "$engine_started"
        ;;
    esac
}

# Whether another Berth runs on this machine or has containers here.
others_use_it() {
    local user file
    for user in "${berth_users[@]}"; do
        ! pgrep -u "$user" >/dev/null 2>&1 || return 0
    done
    for file in "$engine_dir"/stacks/*; do
        [[ ! -f $file || ! -f $(<"$file")/options ]] || return 0
    done
    engine_answers && [[ $(docker ps -aq --filter label=berth.instance) ]]
}

remove_users() {
    local user
    for user in "${berth_users[@]}"; do
        getent passwd "$user" >/dev/null || continue
        userdel "$user" || true
        if getent passwd "$user" >/dev/null; then
            failed+=("the system user $user, which could not be removed")
        else
            ok "removed the system user $user"
        fi
    done
}

remove_images() {
    local images
    mapfile -t images < <(docker images --filter "label=$image_label" --format '{{.Repository}}:{{.Tag}} {{.ID}}' |
        sed 's/^<none>:<none> //; s/ .*//' | sort -u)
    ((${#images[@]})) || return 0
    docker rmi -f "${images[@]}" >/dev/null || true
    if [[ $(docker images -q --filter "label=$image_label") ]]; then
        failed+=("images that Docker Engine did not remove: docker images --filter label=$image_label")
    else
        ok "removed the images ${images[*]}"
    fi
}

# A running engine must reload its configuration.
remove_runtimes() {
    local names rest pid
    [[ -s $docker_config ]] || return 0
    if ! names=$(jq -r --arg begin "$berth_runtimes" '[.runtimes // {} | keys[] | select(startswith($begin))] | join(", ")' "$docker_config"); then
        failed+=("runtimes that begin with $berth_runtimes in $docker_config, which is not JSON")
        return
    fi
    [[ $names ]] || return 0
    rest=$(jq --arg begin "$berth_runtimes" '.runtimes |= with_entries(select(.key | startswith($begin) | not)) |
        if .runtimes == {} then del(.runtimes) else . end' "$docker_config")
    if [[ $rest == '{}' && ! -L $docker_config ]]; then
        rm -- "$docker_config"
    elif ! rewrite "$docker_config" <<<"$rest"; then
        failed+=("the runtimes $names in $docker_config, which could not be written")
        return
    fi
    ok "removed the runtimes $names from $docker_config"
    if have_systemd; then
        systemctl reload docker 2>/dev/null || true
    elif pid=$(pgrep -o -x dockerd); then
        kill -HUP "$pid"
    fi
}

remove_from_machine() {
    step "Removing what this machine has for Berth"
    if others_use_it; then
        left+=("users, images, runtimes in $docker_config and apt source, which another Berth on this machine uses")
        return
    fi
    if begin_engine; then
        remove_images
    else
        failed+=("images, for which Docker Engine did not start: docker images --filter label=$image_label lists them")
    fi
    end_engine
    remove_runtimes
    remove_users
    remove "the apt source" "$berth_apt_source"
    remove "the runtime for egress" "$egress_runtime" "$egress_run_dir"
    remove "the lock of earlier versions" "$docker_config.lock"
    rm -rf -- "$engine_dir"
}

tell_what_is_left() {
    step "Removed"
    info "Debian packages stay, and this source tree. To remove packages, see apt-get autoremove."
    ((${#left[@]} == 0)) || printf '    left: %s\n' "${left[@]}" >&2
    ((${#failed[@]} == 0)) || die "not removed: $(printf '%s; ' "${failed[@]}")"
}

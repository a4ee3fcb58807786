# shellcheck shell=bash
# Asks through nginx whether the platform is ready.

ready_timeout_s=60

# Our nginx is recognised by its key, so that an operator's certificate may be for any name.
ask_ready() {
    curl -sS --noproxy '*' --max-time 5 --insecure --pinnedpubkey "${pin:-$(key_pin "$dir/tls/cert.pem")}" "$@" "$url/readyz"
}

is_ready() { ask_ready -f >/dev/null 2>&1; }

ready_or_dead() {
    # Asked only once, because one worker may notice PostgreSQL's return before another.
    if is_ready; then
        ready=yes
        return
    fi
    ! running "$pids/berthd" || ! running "$pids/nginx"
}

wait_ready() {
    step "Waiting for $url/readyz"
    local ready=no answer
    wait_until "$ready_timeout_s" ready_or_dead || true
    running "$pids/nginx" || fail_with_nginx "nginx has stopped"
    running "$pids/berthd" || fail_with_log "berthd has stopped" berthd
    nginx_serves || fail_with_nginx "another one answers at $url"
    if [[ $ready == no ]]; then
        answer=$(ask_ready 2>&1) || fail_with_nginx "nginx did not answer within $ready_timeout_s s: $answer"
        tell_not_ready "$answer"
        fail_with_log "not ready within $ready_timeout_s s" berthd
    fi
    ok "ready"
}

# tell_not_ready ANSWER: prints the failed checks in an answer of /readyz
tell_not_ready() {
    local line told=no
    while IFS= read -r line; do
        info "$line"
        told=yes
    done < <(jq -r '.checks | to_entries[] | select(.value.status != "ok") | "\(.key): \(.value.detail)"' <<<"$1" 2>/dev/null)
    [[ $told == yes ]] || info "$1"
}

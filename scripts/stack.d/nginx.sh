# shellcheck shell=bash
# nginx: its configuration, start, reload and stop.

nginx_() { nginx -e stderr -p "$dir/nginx" -c "$dir/nginx/berth.conf" "$@"; }

# nginx_holds PORT: whether our nginx runs and has all of the port's sockets.
nginx_holds() {
    local pid
    pid=$(pid_of "$pids/nginx") && holds_port "$pid" "$1"
}

nginx_serves() { nginx_holds "${option[https-port]}" && nginx_holds "${option[http-port]}"; }

# The workers that take connections; the others, which finish their last requests, have another title.
nginx_workers() { pgrep -P "$(pid_of "$pids/nginx")" -fx 'nginx: worker process'; }

# For wait_until: whether all workers take connections, and none that is in old_workers, because nginx starts new workers when it has
# taken a configuration, and then stops the old ones.
nginx_has_settled() {
    running "$pids/nginx" || return 0
    local workers wanted
    wanted=$(sed -n 's/^worker_processes \([0-9]*\);$/\1/p' "$dir/nginx/berth.conf")
    nginx_serves && workers=$(nginx_workers) && (($(wc -l <<<"$workers") == wanted)) &&
        ! grep -qxF -f <(printf '%s\n' "$old_workers") <<<"$workers"
}

# Whether one of the workers that were there when the configuration was taken has ended. One that was killed leaves its requests
# counted in nginx's zones for good.
nginx_lost_a_worker() {
    local nginx worker stat title
    [[ -f $pids/nginx.workers ]] && nginx=$(pid_of "$pids/nginx") || return 1
    while read -r worker; do
        { read -r stat <"/proc/$worker/stat" && read -r -d '' title <"/proc/$worker/cmdline"; } 2>/dev/null &&
            [[ ${stat##*)} == " "?" $nginx "* && $title == 'nginx: worker process' ]] || return 0
    done <"$pids/nginx.workers"
    return 1
}

fail_with_nginx() {
    local key holder
    for key in https-port http-port; do
        while IFS= read -r holder; do
            info "port ${option[$key]} is held by $(process_text "$holder")"
        done < <(strangers_at "${option[$key]}")
    done
    fail_with_log "$1" nginx
}

up_nginx() {
    local zones=1 fingerprint tested old_workers=none done=reloaded
    step "nginx"
    [[ ! -f $pids/nginx.zones ]] || zones=$(<"$pids/nginx.zones")
    if nginx_lost_a_worker; then
        warn "a worker of nginx has ended by itself (see $dir/log/nginx.log): requests are counted from zero again"
        zones=$((zones + 1))
    fi
    printf '%s\n' "$zones" >"$pids/nginx.zones"
    printf '%s\n' "$dump" |
        "$here/render-nginx" --dir "$dir" --https-port "${option[https-port]}" --http-port "${option[http-port]}" \
            --zones "$zones" --static "$share/static" --template "$share/nginx/berth.conf.in" >"$dir/nginx/berth.conf.new"
    mv "$dir/nginx/berth.conf.new" "$dir/nginx/berth.conf"
    fingerprint=$(sha256sum "$dir/nginx/berth.conf" "$dir/tls/cert.pem" "$dir/tls/key.pem")
    if nginx_serves && unchanged "$pids/nginx.fingerprint" "$fingerprint"; then
        ok "runs"
        return
    fi
    log_file "$dir/log/access.log"
    tested=$(nginx_ -t 2>&1) || die "nginx refuses its configuration: $tested"
    rm -f "$pids/nginx.fingerprint"
    if running "$pids/nginx"; then
        old_workers=$(nginx_workers || printf none)
        kill -HUP "$(pid_of "$pids/nginx")"
    else
        done=started
        # The workers of a killed master still run and hold the ports.
        daemon_clear "$dir/log/nginx.log" QUIT 40
        daemon_start "$pids/nginx" "$dir/log/nginx.log" \
            nginx -e stderr -p "$dir/nginx" -c "$dir/nginx/berth.conf" -g 'daemon off;' || fail_with_nginx "nginx did not start"
    fi
    wait_until 30 nginx_has_settled || fail_with_nginx "nginx did not take its new configuration"
    running "$pids/nginx" || fail_with_nginx "nginx did not start"
    ok "$done"
    nginx_workers >"$pids/nginx.workers"
    printf '%s\n' "$fingerprint" >"$pids/nginx.fingerprint"
}

# Requests in flight get the same time as when berthd stops; nginx itself would wait for them without a limit.
down_nginx() {
    local pid stop_ms
    stop_ms=$(setting master.stop_timeout_ms 2>/dev/null || true)
    if pid=$(pid_of "$pids/nginx"); then
        kill -QUIT "$pid"
        wait_until $(((${stop_ms:-30000} + 999) / 1000)) _gone "$pids/nginx" || warn "nginx: requests that were still in flight are cut off"
    fi
    daemon_stop "$pids/nginx" TERM 10
    daemon_clear "$dir/log/nginx.log" TERM 10
}

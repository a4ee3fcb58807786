# shellcheck shell=bash
# PostgreSQL: the cluster, its roles and access rules, the database.

# Without user=, each process connects as the role with the name of its user. Root connects as the owner.
database_conninfo() { printf 'host=%s/postgres/run dbname=berth' "$dir"; }

postgres_bin() {
    local found=(/usr/lib/postgresql/*/bin/postgres) version
    # A cluster is used with the PostgreSQL version that created it.
    if [[ -f $dir/postgres/data/PG_VERSION ]]; then
        version=$(<"$dir/postgres/data/PG_VERSION")
        found=("/usr/lib/postgresql/$version/bin/postgres")
    fi
    [[ -x ${found[-1]} ]] || die "PostgreSQL is not installed (looked for ${found[-1]})"
    dirname "${found[-1]}"
}

as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
postgres_answers() { as_postgres psql -qXw -h "$dir/postgres/run" -d postgres -c 'select' >/dev/null 2>&1; }

# Waits for a server that is starting to answer, or for one that is stopping to be gone.
postgres_is_settled() { ! running "$pids/postgres" || postgres_answers; }

# After a crash PostgreSQL does not start if its old pid now belongs to another process of the same user. Its own processes are
# recognised by their working directory, which is the data directory.
drop_stale_postgres_pids() {
    local data=$dir/postgres/data file pid
    for file in "$data/postmaster.pid" "$dir/postgres/run/.s.PGSQL.5432.lock"; do
        if [[ -f $file ]] && read -r pid <"$file" && [[ $(readlink "/proc/$pid/cwd") != "$data" ]]; then
            rm "$file"
        fi
    done
}

up_postgres() {
    step "PostgreSQL"
    local bin
    bin=$(postgres_bin)
    install -d -o postgres -g postgres -m 700 "$dir/postgres/data"
    install -d -o postgres -g postgres -m 755 "$dir/postgres/run"
    if [[ ! -f $dir/postgres/data/PG_VERSION ]]; then
        (cd / && as_postgres "$bin/initdb" -D "$dir/postgres/data" -E UTF8 --locale C.UTF-8 --auth peer >"$dir/log/initdb.log" 2>&1) ||
            fail_with_log "initdb failed" initdb
        rm "$dir/log/initdb.log"
        info "created the cluster $dir/postgres/data"
    fi
    write_database_access
    wait_until 60 postgres_is_settled || fail_with_log "PostgreSQL neither answers nor ends" postgres
    if running "$pids/postgres"; then
        ok "runs"
    else
        drop_stale_postgres_pids
        daemon_start "$pids/postgres" "$dir/log/postgres.log" setpriv --reuid postgres --regid postgres --init-groups \
            "$bin/postgres" -D "$dir/postgres/data" -c listen_addresses= -c unix_socket_directories="$dir/postgres/run" \
            -c hba_file="$dir/postgres/hba.conf" -c ident_file="$dir/postgres/ident.conf" \
            -c max_connections=200 -c log_destination=stderr -c logging_collector=off -c log_line_prefix='%m [%p] %u '
        wait_until 60 postgres_answers || fail_with_log "PostgreSQL does not answer" postgres
        ok "started"
    fi
    make_database
}

# The processes that connect to PostgreSQL and so have a role.
storing=(control follow poolmgr collector)

make_database() {
    local process roles='' grants=()
    for process in "${storing[@]}"; do
        roles+=,$(user_of "$process")
        grants+=(--grant "$process=$(user_of "$process")")
    done
    as_postgres psql -qXw -h "$dir/postgres/run" -d postgres -v ON_ERROR_STOP=1 -v roles="${roles#,}" -o /dev/null <<'SQL' || die "roles and database could not be created"
select format('create role %I login', r) from unnest(string_to_array('berth,' || :'roles', ',')) r
where not exists (select from pg_roles where rolname = r) \gexec
select 'create database berth owner berth' where not exists (select from pg_database where datname = 'berth') \gexec
revoke connect, temporary on database berth from public;
select format('grant connect on database berth to %I', r) from unnest(string_to_array(:'roles', ',')) r \gexec
SQL
    "$here/migrate" --database "$(database_conninfo) user=berth" --migrations "$share/migrations" "${grants[@]}"
}

# Access is only over the unix socket and only for these system users. The role berth owns everything and is used by root only. A berthd
# of an earlier version, whose processes all use that role, may do so until it is replaced.
write_database_access() {
    local process
    printf '%s\n' 'local all postgres peer map=berth' 'local berth all peer map=berth' >"$dir/postgres/hba.conf"
    {
        printf '%s\n' 'berth root berth' 'berth root postgres' 'berth postgres postgres'
        for process in "${storing[@]}"; do
            printf 'berth "%s" "%s"\n' "$(user_of "$process")" "$(user_of "$process")"
        done
        if running "$pids/berthd" && grep -q '^conninfo = .*user=berth' "$pids/berthd.conf"; then
            printf '%s\n' 'berth berth berth'
        fi
    } >"$dir/postgres/ident.conf.new"
    if ! cmp -s "$dir/postgres/ident.conf.new" "$dir/postgres/ident.conf"; then
        mv "$dir/postgres/ident.conf.new" "$dir/postgres/ident.conf"
        ! running "$pids/postgres" || kill -HUP "$(pid_of "$pids/postgres")"
    fi
    rm -f "$dir/postgres/ident.conf.new"
}

down_postgres() {
    daemon_stop "$pids/postgres" INT 60
    daemon_clear "$dir/log/postgres.log" INT 60
}

# shellcheck shell=bash
# The system users of Berth's processes.

# Each kind of process has its own user, and each of these users a role in PostgreSQL with the same name.
processes=(invoke control follow poolmgr collector warden)

# user_of PROCESS
user_of() { setting "${1/poolmgr/pool}.user"; }

prepare_users() {
    local process user
    for process in "${processes[@]}"; do
        user=$(user_of "$process")
        if ! getent passwd "$user" >/dev/null; then
            useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
            info "created the system user $user"
        fi
        can "$user" -x "$berthd" || die "user $user cannot run '$berthd': missing, or a parent directory is closed to others (below /root, for example)"
        can "$user" -x "$dir" || die "user $user cannot reach '$dir': one of its parents is closed to others (not below /root, for example)"
    done
    for user in postgres www-data; do
        can "$user" -x "$dir" || die "user $user cannot reach '$dir': one of its parents is closed to others (not below /root, for example)"
    done
    can www-data -r "$share/static/index.html" || die "user www-data cannot read '$share/static'"
}

# can USER TEST PATH
can() { setpriv --reuid "$1" --regid "$1" --init-groups test "$2" "$3"; }

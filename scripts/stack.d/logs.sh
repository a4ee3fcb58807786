# shellcheck shell=bash
# The logs of the daemons.

declare -A log_size=()

# Logs of earlier versions were readable for everyone.
close_logs() {
    local file
    install -d -g "$log_group" -m 2750 "$dir/log"
    for file in "$dir"/log/*.log; do
        [[ ! -f $file ]] || log_file "$file"
    done
}

# Notes the length of the logs when this command begins; earlier lines are not about it.
note_log_sizes() {
    local file
    for file in "$dir"/log/*.log; do
        [[ ! -f $file ]] || log_size[$file]=$(stat -c %s "$file")
    done
}

# new_lines NAME: prints the lines of that log since this command began
new_lines() { tail -c "+$((${log_size[$dir/log/$1.log]:-0} + 1))" "$dir/log/$1.log" 2>/dev/null; }

# fail_with_log MESSAGE NAME
fail_with_log() {
    local file=$dir/log/$2.log lines
    lines=$(new_lines "$2" | tail -n 30) || true
    if [[ $lines ]]; then
        info "what $file says:"
        printf '%s\n' "$lines" >&2
    else
        info "$file says nothing about it"
    fi
    die "$1"
}

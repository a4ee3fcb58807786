# shellcheck shell=bash
# The options of `stack`: those of earlier runs, changed by the command line.

dir='' name='' follow=no
declare -A option=() new_option=()
settings=() new_settings=()

# The options of each command, besides --dir.
declare -A takes=(
    [up]='--https-port --http-port --instance --prefix --build --docker --set'
    [down]='' [status]=''
    [reload]='--set'
    [upgrade]='--prefix --build --set'
    [logs]='--follow NAME'
)

# need_taken COMMAND WHAT ARGUMENT: refuses an option that this command does not have.
need_taken() { [[ " ${takes[$1]} " == *" $2 "* ]] || misuse "'$1' does not take '$3'"; }

parse() {
    local command=$1
    shift
    while (($#)); do
        case $1 in
        --dir) need_value "$1" $# && dir=$2 && shift ;;
        --https-port | --http-port)
            need_taken "$command" "$1" "$1" && need_value "$1" $# && need_port "$1" "$2" && new_option[${1#--}]=$2 && shift
            ;;
        --docker)
            need_taken "$command" "$1" "$1" && need_value "$1" $#
            [[ $2 =~ ^(machine|own)$ ]] || misuse "--docker is machine or own"
            new_option[docker]=$2 && shift
            ;;
        --instance | --prefix | --build)
            need_taken "$command" "$1" "$1" && need_value "$1" $# && new_option[${1#--}]=$2 && shift
            ;;
        --set)
            need_taken "$command" "$1" "$1" && need_value "$1" $#
            [[ $2 =~ ^[a-z_]+\.[a-z_]+= ]] || misuse "--set takes section.key=value, not '$2'"
            new_settings+=("$2") && shift
            ;;
        --follow | -f) need_taken "$command" --follow "$1" && follow=yes ;;
        -h | --help) usage ;;
        -*) misuse "unknown option '$1'" ;;
        *) need_taken "$command" NAME "$1" && name=$1 ;;
        esac
        shift
    done
    [[ $dir ]] || misuse "--dir is needed"
    dir=$(realpath -m -- "$dir")
    [[ $dir =~ ^/[A-Za-z0-9._/-]+$ ]] || misuse "'$dir' has characters other than A-Z a-z 0-9 . _ - /"
    ((${#dir} <= 40)) || misuse "'$dir' is too long: the paths of unix sockets below it are limited, 40 characters are left for it"
}

load_options() {
    local key value default_instance=${dir##*/}
    option=([https-port]=8443 [http-port]=8080 [instance]=${default_instance,,} [docker]=machine)
    if [[ $here == */libexec/berth/scripts ]]; then
        option[prefix]=${here%/libexec/berth/scripts}
    fi
    if [[ -f $dir/options ]]; then
        while IFS='=' read -r key value; do
            case $key in
            set) settings+=("$value") ;;
            *) option[$key]=$value ;;
            esac
        done <"$dir/options"
    fi
    [[ -z ${new_option[build]-} ]] || new_option[prefix]=$dir/install
    [[ -z ${new_option[prefix]-} ]] || new_option[prefix]=$(realpath -m -- "${new_option[prefix]}")
    for key in "${!new_option[@]}"; do
        [[ $key == build ]] || option[$key]=${new_option[$key]}
    done
    while [[ ${option[https-port]} == 0 ]]; do
        option[https-port]=$(free_port)
    done
    while [[ ${option[http-port]} == 0 || ${new_option[http-port]-} == 0 && ${option[http-port]} == "${option[https-port]}" ]]; do
        option[http-port]=$(free_port)
    done
    for value in "${new_settings[@]}"; do
        set_setting "$value"
    done
    [[ ${option[prefix]-} ]] || misuse "--prefix or --build is needed"
    url=https://127.0.0.1:${option[https-port]}
    berthd=${option[prefix]}/sbin/berthd
    libexec=${option[prefix]}/libexec/berth
    share=${option[prefix]}/share/berth
    pids=$dir/pids
}

# set_setting S.K=V: sets a value, replacing an earlier one.
set_setting() {
    local kept=() old
    for old in "${settings[@]}"; do
        [[ ${old%%=*} == "${1%%=*}" ]] || kept+=("$old")
    done
    [[ -z ${1#*=} ]] || kept+=("$1")
    settings=("${kept[@]}")
}

# Ports that are not available are refused before anything is done or stored.
check_ports() {
    local key port holder
    for key in https-port http-port; do
        need_port "--$key" "${option[$key]}"
    done
    [[ ${option[https-port]} != "${option[http-port]}" ]] || misuse "--https-port and --http-port are both ${option[http-port]}"
    for key in https-port http-port; do
        port=${option[$key]}
        holder=$(strangers_at "$port" | head -n 1)
        [[ -z $holder ]] || die "--$key: $(process_text "$holder") listens on port $port already"
    done
}

# strangers_at PORT: prints the processes that listen on it and are not our nginx
strangers_at() {
    local holders
    ! nginx_holds "$1" || return 0
    holders=$(port_holders "$1")
    [[ -z $holders ]] || grep -vxF -f <(writers "$dir/log/nginx.log") <<<"$holders" || true
}

# Written in one step, because readers do not take the lock.
save_options() {
    local key
    (umask 077 && : >>"$dir/options.new")
    chmod 600 "$dir/options.new"
    {
        for key in https-port http-port instance prefix docker; do
            printf '%s=%s\n' "$key" "${option[$key]}"
        done
        ((${#settings[@]} == 0)) || printf 'set=%s\n' "${settings[@]}"
    } >"$dir/options.new"
    mv "$dir/options.new" "$dir/options"
}

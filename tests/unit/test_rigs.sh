#!/usr/bin/env bash
# All rigs and fakes of the tests are one library, which is linked before Berth's own, and the linker takes the first file that defines a
# name. If two rigs, or a rig and Berth, defined the same name, a test would not get the one it means.
set -euo pipefail

# names FILE…: prints the external names that the files define, without those that the compiler adds
names() {
    nm -g --defined-only "$@" | awk 'NF == 3 && $3 !~ /^__[^w]/ {print $3}' | sort
}

# none NUMBER TEST NAMES: the test fails if there are any
none() {
    if [[ -z $3 ]]; then
        echo "ok $1 - $2"
    else
        printf 'not ok %s - %s\n' "$1" "$2"
        printf '# %s\n' "${3//$'\n'/ }"
    fi
}

mapfile -t libraries < <(find . -maxdepth 1 -name 'lib*.a' ! -name libtestrigs.a ! -name libfuzzreplay.a)
echo 1..2
none 1 no_name_is_in_two_rigs "$(names libtestrigs.a | uniq -d)"
none 2 no_name_is_in_a_rig_and_in_berth "$(comm -12 <(names libtestrigs.a | uniq) <(names "${libraries[@]}" | uniq))"

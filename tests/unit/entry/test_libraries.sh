#!/usr/bin/env bash
# berthd-invoke is linked with none of the libraries that only other processes need: there are many invoke workers, each has its own
# copy of what a library needs to be relocated, and whoever parses requests has no use for a client of PostgreSQL or of Docker.
set -euo pipefail

unwanted=(libpq libcurl libuv libarchive libseccomp)
loaded=$(ldd ./berthd-invoke)
echo "1..${#unwanted[@]}"
for i in "${!unwanted[@]}"; do
    library=${unwanted[i]}
    result=ok
    if grep -q "^[[:space:]]*${library}[.-]" <<<"$loaded"; then result="not ok"; fi
    echo "$result $((i + 1)) - an invoke worker has no $library"
done

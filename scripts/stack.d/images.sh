# shellcheck shell=bash
# The images of the languages' versions.

# The default versions, those of which there is a recipe of the operator's, and those that stored functions run on.
up_images() {
    local label wanted=()
    while read -r label; do
        wanted+=(--version "$label")
    done < <(wanted_versions)
    DOCKER_HOST=unix://$(setting docker.socket) "$here/images" "${wanted[@]}" --recipes "$dir/recipes" --tag "${option[instance]}"
}

# A function may name a version that is no more.
wanted_versions() {
    {
        language_versions "$libexec/runtimes" | awk '$4 == "true" { print $1 }'
        own_recipes
        as_postgres psql -qAtXw -h "$dir/postgres/run" -d berth \
            -c "select distinct language || '-' || language_version from function_versions"
    } | sort -u | grep -xF -f <(language_versions "$libexec/runtimes" | cut -d ' ' -f 1)
}

# Prints the versions of which the operator has a recipe: "python-3.13"
own_recipes() {
    local file label
    for file in "$dir"/recipes/*; do
        label=${file##*/}
        [[ $label =~ ^[a-z0-9_]+-[0-9.]+$ && -f $file ]] || continue
        language_versions "$libexec/runtimes" | grep -q "^$label " || die "'$file': there is no version '$label'"
        printf '%s\n' "$label"
    done
}

# Prints the images of these in the form of berthd's setting: "python-3.13=berth-python:3.13-INSTANCE"
own_images() {
    local label image labels
    labels=$(own_recipes) || exit
    while read -r label image _; do
        ! grep -qxF -- "$label" <<<"$labels" || printf '%s=%s-%s ' "$label" "$image" "${option[instance]}"
    done < <(language_versions "$libexec/runtimes")
}

# Recipes that are named by the language alone are from before there were versions, and are for the one that there was.
name_recipes() {
    local pair old new
    for pair in python:python-3.11 javascript:javascript-18; do
        old=$dir/recipes/${pair%:*} new=$dir/recipes/${pair#*:}
        [[ -f $old && ! -e $new ]] || continue
        mv "$old" "$new"
        warn "'$old' is '$new' now: each version of a language has a recipe of its own"
    done
}

# Images of the machine's Docker Engine are copied instead of built again.
copy_images() {
    local label image wanted
    wanted=$(wanted_versions)
    while read -r label image _; do
        if grep -qxF -- "$label" <<<"$wanted" && docker image inspect "$image" >/dev/null 2>&1 && [[ -z $(docker_ images -q "$image") ]]; then
            docker save "$image" | docker_ load >/dev/null
        fi
    done < <(language_versions "$libexec/runtimes")
}

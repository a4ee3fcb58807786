# shellcheck shell=bash
# The images of the languages.

up_images() {
    DOCKER_HOST=unix://$(setting docker.socket) "$here/images" --recipes "$dir/recipes" --tag "${option[instance]}"
}

# Prints the images of the operator's own recipes in the form of berthd's setting: "python=berth-python:INSTANCE"
own_images() {
    local file language
    for file in "$dir"/recipes/*; do
        language=${file##*/}
        [[ $language =~ ^[a-z0-9_]+$ && -f $file ]] || continue
        [[ -f $libexec/runtimes/$language/runtime.json ]] || die "'$file': there is no language '$language'"
        printf '%s=%s:%s ' "$language" "$(image_of "$libexec/runtimes/$language/runtime.json" | sed 's/:[^:]*$//')" "${option[instance]}"
    done
}

# Images of the machine's Docker Engine are copied instead of built again.
copy_images() {
    local image
    while IFS= read -r image; do
        [[ -n $(docker_ images -q "$image") ]] || docker save "$image" | docker_ load >/dev/null
    done < <(docker images --filter "label=$image_label" --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -vF '<none>')
}

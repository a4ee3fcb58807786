# shellcheck shell=bash
# The directory of the stack, and the installation in it.

prepare_dir() {
    step "Directory $dir"
    local user
    for user in www-data postgres; do
        getent passwd "$user" >/dev/null || die "there is no user $user: nginx and PostgreSQL have to be installed (scripts/packages)"
    done
    chmod 755 "$dir"
    mkdir -p "$dir"/{nginx/tmp,pids,postgres,recipes,tls}
    close_logs
    install_build
}

install_build() {
    if [[ ${new_option[build]-} ]]; then
        keep_edited_recipes "$dir/recipes"
        make -C "${new_option[build]}" --no-print-directory -s install prefix="$dir/install" INSTALL="$(command -v install) -C" >/dev/null ||
            die "make install failed"
        note_recipes "$dir/install" "$dir/recipes"
        info "installed from ${new_option[build]}"
    fi
    name_recipes
}

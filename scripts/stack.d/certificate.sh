# shellcheck shell=bash
# The certificate of nginx. tls/made-here has the fingerprints of certificates and keys that we have made. Others belong to the operator
# and are never touched.

certificate_left_s=$((14 * 86400)) # from when on a certificate is renewed, or warned of
made_here() { is_noted "$1" "$dir/tls/made-here"; }

# Checks that certificate and key belong together and do not expire soon. For the operator's there are warnings; ours is renewed.
certificate_lasts() { openssl x509 -in "$dir/tls/cert.pem" -noout -checkend "$certificate_left_s" >/dev/null 2>&1; }

key_fits() {
    local key
    key=$(openssl pkey -in "$dir/tls/key.pem" -pubout 2>/dev/null </dev/null) &&
        [[ $key == "$(openssl x509 -in "$dir/tls/cert.pem" -noout -pubkey 2>/dev/null)" ]]
}

up_certificate() {
    step "Certificate"
    local file theirs=() missing=()
    for file in cert.pem key.pem; do
        if [[ ! -e $dir/tls/$file && ! -L $dir/tls/$file ]]; then
            missing+=("$file")
        elif ! made_here "$dir/tls/$file"; then
            theirs+=("$file")
        fi
    done
    if ((${#theirs[@]})); then
        ((${#missing[@]} == 0)) || die "$dir/tls: ${theirs[*]} is there and was not made here, but ${missing[*]} is missing"
        key_fits || die "$dir/tls: key.pem is not the key of cert.pem; they were not made here, so nothing was changed"
        ok "the operator's, $(certificate_text)"
        warn_of_certificate
    elif ((${#missing[@]} == 0)) && certificate_lasts && key_fits; then
        ok "$(certificate_text)"
    else
        make_certificate
        ok "made a self-signed one for localhost"
    fi
    pin=$(key_pin "$dir/tls/cert.pem")
}

certificate_text() {
    local word=valid
    openssl x509 -in "$dir/tls/cert.pem" -noout -checkend 0 >/dev/null 2>&1 || word='EXPIRED, valid'
    printf '%s until %s' "$word" "$(openssl x509 -in "$dir/tls/cert.pem" -noout -enddate | cut -d= -f2)"
}

warn_of_certificate() {
    certificate_lasts || warn "the certificate $dir/tls/cert.pem is $(certificate_text): replace it and its key, and run stack reload"
}

make_certificate() {
    local cert=$dir/tls/cert.pem key=$dir/tls/key.pem
    (
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256 -nodes -days 365 -subj /CN=localhost \
            -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' -addext extendedKeyUsage=serverAuth \
            -keyout "$key.new" -out "$cert.new" 2>"$dir/log/openssl.log"
    ) || fail_with_log "openssl failed" openssl
    rm "$dir/log/openssl.log"
    chmod 644 "$cert.new"
    # Both pairs are listed as ours until the new one is in place, so that an interruption leaves no certificate that nobody renews.
    sha256sum "$key.new" "$cert.new" | cut -d ' ' -f 1 >>"$dir/tls/made-here"
    mv "$key.new" "$key"
    mv "$cert.new" "$cert"
    sha256sum "$key" "$cert" | cut -d ' ' -f 1 >"$dir/tls/made-here"
}

#!/bin/sh
# Proves the README on a bare machine: a new Debian with python3, python3-venv, make and libgomp1 alone, a clone of
# the last commit, an ordinary user, `make run`, and a question over HTTP that the small model answers.
# Then the Dockerfile's own scripts in the same Debian. Needs root, and mmdebstrap or debootstrap.
# Mirror, proxies, certificates and the package index are this machine's own.
set -eu
PORT=${PORT:-18080}
QUESTION='What is the capital of France?'
[ "$(id -u)" = 0 ] || { echo "make fresh needs root, to make a Debian of its own" >&2; exit 1; }
started=$(date +%s)
after() { echo "[$(($(date +%s) - started)) s] $*"; }

. /etc/os-release
suite=${SUITE:-${VERSION_CODENAME:-bookworm}}
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$')}
root=$(mktemp -d /var/tmp/konsilium-fresh.XXXXXX)
running=""
clean() {
    [ -z "$running" ] || kill "$running" 2>/dev/null || true
    sleep 1
    umount "$root/proc" 2>/dev/null || true
    if mountpoint -q "$root/proc"; then echo "$root is left: its /proc is in use" >&2; else rm -rf "$root"; fi
}
trap clean EXIT

after "a bare Debian $suite from $mirror"
packages=python3,python3-venv,make,libgomp1,ca-certificates  # llama.cpp needs libgomp1
proxy=$(apt-config shell proxy Acquire::http::Proxy | sed "s/^proxy='\(.*\)'$/\1/")
if command -v mmdebstrap >/dev/null; then
    mmdebstrap --quiet --mode=root --variant=minbase --include=$packages \
        ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} "$suite" "$root" "$mirror"
else
    http_proxy=${proxy:-${http_proxy:-}} debootstrap --variant=minbase --include=$packages \
        "$suite" "$root" "$mirror" >/dev/null
fi
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
    [ ! -e $file ] || cp -L $file "$root$file"
done
bare=$(du -sm "$root" --exclude=proc | cut -f1)
after "it is there: $bare MB"

chroot "$root" useradd --create-home person
git archive --prefix=home/person/konsilium/ HEAD | tar -x -C "$root"
chroot "$root" chown -R person:person /home/person

# in USER COMMAND...: runs it there, knowing of this machine only how to reach the package index
within() {
    user=$1
    shift
    home=$(chroot "$root" getent passwd "$user" | cut -d: -f6)
    set -- HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
    for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_CERT PIP_DEFAULT_TIMEOUT \
        SSL_CERT_FILE http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
        value=$(printenv "$name") && set -- "$name=$value" "$@"
    done
    exec chroot --userspec="$user:" "$root" env -i "$@"
}

# answers URL PATTERN SECONDS: waits until what is there matches
answers() {
    for _ in $(seq "$3"); do
        curl -s --max-time 5 "$1" | grep -q "$2" && return 0
        kill -0 "$running" 2>/dev/null || return 1
        sleep 1
    done
    return 1
}

url=http://127.0.0.1:$PORT
log=$root/var/log/run.log
(within person sh -c "cd ~/konsilium && exec make run BROWSER_OPENS=no PORT=$PORT") >"$log" 2>&1 &
running=$!
answers $url/health '"database":"ok"' 900 || { cat "$log" >&2; exit 1; }
after "make run serves the chat"
model=$(curl -s $url/v1/models | sed -n 's/.*"id": *"\(embedded[^"]*\)".*/\1/p')
answer=$(curl -s --max-time 120 $url/v1/chat/completions -H 'Content-Type: application/json' -d \
    "{\"model\": \"$model\", \"messages\": [{\"role\": \"user\", \"content\": \"$QUESTION\"}]}")
echo "$answer" | grep -q Paris || { echo "$model answers $answer" >&2; tail -n 20 "$log" >&2; exit 1; }
after "$QUESTION $(echo "$answer" | sed 's/.*"content": *"\([^"]*\)".*/\1/')"
after "size: $(($(du -sm "$root" --exclude=proc | cut -f1) - bare)) MB more than the bare Debian"
kill "$running"; wait "$running" || true; running=""

after "the Dockerfile's scripts"
git archive --prefix=src/ HEAD | tar -x -C "$root"
(within root sh /src/deploy/build.sh /src /opt/konsilium)
(within root sh /src/deploy/user.sh)
(within konsilium DATA_DIR=/data PORT="$PORT" sh -c 'cd /data && exec /opt/konsilium/bin/konsilium run --no-browser') >"$log" 2>&1 &
running=$!
answers $url/health '"database":"ok"' 120 || { cat "$log" >&2; exit 1; }
(within konsilium PORT="$PORT" python3 /src/deploy/healthy.py)
kill -TERM "$running"
timeout 30 tail --pid="$running" -f /dev/null
running=""
after "installed by them it is healthy, and SIGTERM ends it. All is well"

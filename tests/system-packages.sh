#!/bin/sh
# What the tests need from the system: a browser, fonts with emoji, PostgreSQL, Redis, nginx, npm, Tesseract.
# Installed where apt is there and we may use it; on a person's machine what is missing is named.
set -eu
missing=""
may_install() { command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; }
# Chromium without a window does a fifth less work; where we may not install it any will do.
command -v chromium-headless-shell >/dev/null 2>&1 || { ! may_install && {
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1
}; } || missing="$missing chromium-headless-shell"
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || missing="$missing fonts-noto-color-emoji"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
command -v tesseract >/dev/null 2>&1 || missing="$missing tesseract-ocr tesseract-ocr-rus tesseract-ocr-ukr"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
[ -z "$missing" ] && exit 0
if may_install; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need these packages:$missing" >&2
    exit 1
fi

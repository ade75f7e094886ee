#!/bin/sh
# The account that runs the container, and the one folder that it may write to.
set -eu
useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin konsilium
install -d -o konsilium -g konsilium -m 0700 /data

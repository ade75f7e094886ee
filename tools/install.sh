#!/bin/sh
# Makes a virtual environment, unless it is there, and installs a lock file into it, saying what it does.
# Every file is checked against the hashes in the lock. $1: the environment, $2: the lock.
set -eu
venv=$1 lock=$2
if ! [ -x "$venv/bin/python" ]; then
    echo "Making $venv with $(${PYTHON:-python3} --version)"
    "${PYTHON:-python3}" -m venv "$venv"
fi
echo "Installing $(grep -c '==' "$lock") packages from $lock (the first time takes a minute or two)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
    "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off \
        --require-hashes -r "$lock" 2>&1 && echo "pip is done"
} | tee "$log" | awk '
    /^ *Downloading .*[MG]B\)/ { $1 = " "; print; fflush() }
    /^Installing collected/ { print "  unpacking"; fflush() }
'
if [ "$(tail -n 1 "$log")" != "pip is done" ]; then
    grep -v "^Requirement already" "$log" | tail -n 20 >&2
    exit 1
fi

#!/bin/sh
# The unit tests on every Python that the project is for, each in an environment of its own. One that is
# not at hand is named.
set -eu
for version in 3.11 3.12 3.13; do
    python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python 2>/dev/null | tail -n 1)
    [ -n "$python" ] || python=$(command -v python$version || true)
    if [ -z "$python" ]; then
        echo "Python $version: not at hand, not tried"
        continue
    fi
    folder=$(mktemp -d)
    PYTHON=$python sh tools/install.sh "$folder/venv" tests/requirements.txt
    "$folder/venv/bin/python" -m pytest tests/unit -q -n 2 -p no:cacheprovider | tail -n 3
    rm -rf "$folder"
done

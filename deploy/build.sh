#!/bin/sh
# Installs Konsilium from the checkout $1 into the new virtual environment $2: every package checked
# against its hash, then ours, then the small model where the package index has it. The Dockerfile runs
# it, and so does `make fresh` in a bare Debian. It needs python3 with venv, and no compiler.
set -eu
source=$1 target=$2
python3 -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check"
$pip install --quiet --require-hashes -r "$source/requirements.txt"
wheels=$(mktemp -d)
$pip wheel --quiet --no-deps --wheel-dir "$wheels" "$source"
$pip install --quiet --no-deps "$wheels"/konsilium-*.whl
rm -rf "$wheels"
"$target/bin/konsilium" models bring || echo "without the small model"

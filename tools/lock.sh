#!/bin/sh
# requirements.txt (what runs) and tests/requirements.txt (what the tests need besides), both from
# pyproject.toml, with the hashes of every platform's files. What needs no change keeps its version;
# UPGRADE=--upgrade takes the newest of what the requirements bring along. $1: uv.
set -eu
compile="$1 pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate ${UPGRADE:-}"
$compile --output-file requirements.txt
$compile --extra tests --constraints requirements.txt --output-file tests/requirements.txt

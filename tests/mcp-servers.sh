#!/bin/sh
# MCP servers that nobody here wrote, from npm and PyPI, in .venv/.mcp: tests/integration/tools asks them.
set -eu
cd "$(dirname "$0")/.."
into=.venv/.mcp
npm="@modelcontextprotocol/server-everything@2026.8.31 @modelcontextprotocol/server-filesystem@2026.8.31"
pypi="mcp-server-time==2026.10.19 mcp-server-fetch==2026.10.24"
[ "$(cat "$into/versions" 2>/dev/null)" = "$npm $pypi" ] && exit 0
rm -rf "$into"
mkdir -p "$into"
# shellcheck disable=SC2086  # lists of words
npm install --prefix "$into" --no-audit --no-fund --loglevel=error $npm >/dev/null
.venv/bin/python -m venv "$into/python"  # of their own: they need another version of the SDK than we
# shellcheck disable=SC2086
"$into/python/bin/python" -m pip install --quiet --disable-pip-version-check $pypi
echo "$npm $pypi" >"$into/versions"

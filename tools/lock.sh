#!/usr/bin/env bash
# Write the four lock files from pyproject.toml: versions and hashes, for every Python and system we claim.
# Needs uv. Versions already locked stay unless --upgrade is given: tools/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

uv="$(command -v uv || true)"
[ -n "$uv" ] || uv=".venv/bin/uv"
[ -x "$uv" ] || { echo "lock: uv is not here. Install it (pip install uv) and run this again." >&2; exit 1; }

compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "tools/lock.sh" "$@"
}
compile "$@" pyproject.toml -o requirements.lock
compile "$@" --group build -o requirements-build.lock
compile "$@" --group dev pyproject.toml -o requirements-dev.lock
compile "$@" --group test pyproject.toml -c requirements-dev.lock -o requirements-test.lock

#!/usr/bin/env bash
# Make a virtual environment with exactly the locked packages and this project in it.
# tools/setup.sh PYTHON VENV LOCK: uses uv if it is there, else plain venv and pip. Every package is checked by its hash.
set -euo pipefail
cd "$(dirname "$0")/.."
python="$1" venv="$2" lock="$3"

if [ -x "$venv/bin/python" ] && ! "$venv/bin/python" -c '' 2>/dev/null; then
    echo "setup: $venv belongs to a Python that is gone: making it anew"
    rm -rf "$venv"
fi

uv="$(command -v uv || true)"
if [ -n "$uv" ]; then
    [ -x "$venv/bin/python" ] || "$uv" venv --quiet --python "$python" "$venv"
    install() { VIRTUAL_ENV="$(cd "$venv" && pwd)" "$uv" pip install --quiet "$@"; }
else
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
fi

echo "setup: $venv ($("$venv/bin/python" --version)) from $lock"
install --require-hashes -r requirements-build.lock -r "$lock"
# The build tools are installed and locked already, so nothing unlocked is fetched to build the project itself.
install --no-deps --no-build-isolation --editable .

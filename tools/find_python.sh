#!/bin/sh
# Print every Python from 3.11 that runs here, one "version path" a line, newest patch of each minor once.
# The first line is the one that `make` uses: the oldest we claim, so that what we develop on is what we promise.
set -u

try() {
    [ -x "$1" ] || return 0
    "$1" -c 'import sys, venv, ensurepip
if sys.version_info >= (3, 11) and sys.implementation.name == "cpython":
    print("%d.%d %s" % (*sys.version_info[:2], sys.executable))' 2>/dev/null || true
}

{
    [ -n "${PYTHON:-}" ] && try "$(command -v "$PYTHON" || true)"
    for minor in 11 12 13 14 15 16; do
        try "$(command -v "python3.$minor" || true)"
        for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.$minor.*/bin/python3 \
            "$HOME"/.local/share/uv/python/cpython-3.$minor.*/bin/python3 \
            /usr/local/bin/python3.$minor /usr/bin/python3.$minor /opt/homebrew/bin/python3.$minor; do
            try "$path"
        done
    done
    try "$(command -v python3 || true)"
} | awk '!seen[$1]++' | { if [ -n "${PYTHON:-}" ]; then cat; else sort -t. -k2,2n; fi; }

#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests; with --install, try to get one first.
# Order: $NIGHTBELL_CHROMIUM, what is on PATH, the system's package manager, Playwright's own download.
# Prints nothing and ends with 1 if there is none: the browser tests then skip, and say so.
set -uo pipefail
cd "$(dirname "$0")/.."

found() {
    if [ -n "${NIGHTBELL_CHROMIUM:-}" ]; then echo "$NIGHTBELL_CHROMIUM"; return 0; fi
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" && return 0
    done
    for app in "/Applications/Chromium.app/Contents/MacOS/Chromium" \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
        [ -x "$app" ] && { echo "$app"; return 0; }
    done
    # Playwright's own download, if somebody asked for it before.
    [ -x .venv/bin/python ] && .venv/bin/python - <<'PY' 2>/dev/null
import os
import sys

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = playwright.chromium.executable_path
if not os.access(path, os.X_OK):
    sys.exit(1)
print(path)
PY
}

root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}

from_system() {
    command -v apt-get >/dev/null || return 1
    root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
}

found && exit 0
if [ "${1:-}" = "--install" ]; then
    echo "chromium: not here; asking the system's package manager" >&2
    from_system >&2 && found && exit 0
    echo "chromium: not from there; asking Playwright" >&2
    [ -x .venv/bin/playwright ] && .venv/bin/playwright install chromium >&2 && found && exit 0
fi
echo "chromium: none found, so the browser tests will be skipped. Install chromium, or set NIGHTBELL_CHROMIUM to its path." >&2
exit 1

"""Write the pages of docs/reference that are made from the code; --check only says if they are current."""

import sys
from pathlib import Path

from nightbell.app.metrics.definitions import reference as metrics
from nightbell.app.settings_pages import reference
from nightbell.load.again import AGAIN_S_MAX
from nightbell.load.deadline import READ_S_MAX, SIGN_IN_S_MAX
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


def errors() -> str:
    """The page of every error we answer with."""
    english = catalogue("en")
    lines = [
        "# Errors",
        "",
        "This page is made from `src/nightbell/words/errors.py` and the catalogue by `tools/reference.py`.",
        "",
        "Every error is a problem document (RFC 9457): `type` names the code below, `detail` says what",
        "happened, what was kept and what to do. The Share dialect answers in its own old form instead.",
        "",
        "With 503 (`overloaded`, `not_durable`, `switched_off`) and 429 (`try_later`) stands `Retry-After`:",
        f"come again after so many seconds, at most {AGAIN_S_MAX}, not sooner. It is worked out from what",
        "waits, and is another for each client. Whoever waits no longer than it must may say so with",
        "`Deadline-Ms: 1500`, a span and not an instant: what would be answered later is not done and",
        f"gets 503. Without it a read of history is taken as awaited for {READ_S_MAX:.0f} s, a sign-in for",
        f"{SIGN_IN_S_MAX:.0f} s.",
        "",
        "| code | what it means |",
        "|---|---|",
    ]
    lines += [f"| `{code}` | {english.say(f'errors.{code}')} |" for code in ErrorCode]
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """Every page by its file name."""
    return {"settings.md": reference(), "errors.md": errors(), "metrics.md": metrics()}


def main() -> int:
    """Write or check the pages; 1 if one is not current."""
    stale = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"not current: {', '.join(stale)}. Run: .venv/bin/python tools/reference.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

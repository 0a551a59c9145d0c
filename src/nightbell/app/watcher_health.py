"""The platform watches the watcher: it reads the heartbeat that the watcher leaves in its folder."""

from pathlib import Path
from typing import Final

import msgspec

from nightbell.watch.health import Health
from nightbell.words.catalogue import Catalogue

FILE_NAME: Final = "health.json"
GONE_AFTER_MS: Final = 60_000
"""The watcher writes every few seconds; after 30 s it is stuck or gone, and a start takes time too."""


def watcher_failing(folder: Path, now_ms: int, words: Catalogue) -> str:
    """What an operator must do about the watcher; empty if it is well, or if there was never one here."""
    try:
        health = msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Health)
    except FileNotFoundError:
        return ""
    except (OSError, msgspec.DecodeError):
        return words.say("platform.watcher_gone")
    if now_ms - health.written_ms > GONE_AFTER_MS:
        return words.say("platform.watcher_gone")
    return " ".join(health.troubles)

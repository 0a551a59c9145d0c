"""One secret in one file, made at the first start, for its owner only."""

import os
import secrets
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32


def kept_secret(path: Path) -> bytes:
    """The secret of this file; made if there is none.

    Raises:
        OSError: It can neither be read nor made.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".new")
    if not path.exists():
        beside.unlink(missing_ok=True)
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    return path.read_bytes()

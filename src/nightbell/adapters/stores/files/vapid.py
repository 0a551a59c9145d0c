"""DIR/keys/vapid.key: the key under which devices subscribe to pushes. Made at the first start, then kept.

A subscription holds only under the key that it was made with. So one that cannot be read is left as it is,
and never replaced by a new one: that would silence every device, and look well.
"""

import os
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

VAPID_NAME: Final = "vapid.key"
FILE_BYTES_MAX: Final = 16 * 1024

_log = structlog.get_logger(__name__)


def kept_vapid_key(path: Path) -> EllipticCurvePrivateKey | None:
    """The key of this file, made if there is none; None if it can be neither read nor made."""
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)  # a copy put back from elsewhere may be open to others
        with path.open("rb") as file:
            key = serialization.load_pem_private_key(file.read(FILE_BYTES_MAX), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        _log.error("push_key.unreadable", error=type(error).__name__)
        return None
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    _log.error("push_key.unreadable", error="another kind of key")
    return None


def _make(path: Path) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

"""Identities and secrets: the only place that draws random numbers for them."""

import hashlib
import secrets
import uuid
from typing import NewType

PersonId = NewType("PersonId", str)
"""Who: a lower-case UUID."""

SharerNumber = NewType("SharerNumber", int)
"""A sharer's row, dense from 0: the journal, the history and the evaluator know sharers by it."""

FollowId = NewType("FollowId", str)
"""A follow: a lower-case UUID."""

FollowNumber = NewType("FollowNumber", int)
"""A follow's row, dense from 0."""

AlarmId = NewType("AlarmId", str)
"""32 hex digits, computed from what opened the alarm, so that anybody who computes it gets the same."""


def new_uuid() -> str:
    """A random lower-case UUID of 36 characters."""
    return str(uuid.uuid4())  # noqa: TID251 the one place


def new_secret(prefix: str) -> str:
    """A secret of 160 random bits, with a prefix that tells a human what it opens."""
    return f"{prefix}{secrets.token_urlsafe(20)}"


def secret_hash(secret: str) -> bytes:
    """What is stored of a secret of high entropy. Never for passwords: those go through argon2."""
    return hashlib.sha256(secret.encode()).digest()

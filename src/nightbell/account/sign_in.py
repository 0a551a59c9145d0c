"""What a sign-in, a new key and a new Share credential hand back."""

import msgspec

from nightbell.account.identity import Identity
from nightbell.account.ports import StoredKey


class SignedIn(msgspec.Struct, frozen=True):
    """A grant for a device.

    Attributes:
        token: What the device sends as bearer.
        expires_ms: Until when it holds.
        renew_ms: When the device should renew it.
        identity: Who it speaks for.
    """

    token: str
    expires_ms: int
    renew_ms: int
    identity: Identity


class Key(msgspec.Struct, frozen=True):
    """A key for an old or native client.

    Attributes:
        id: To revoke it by.
        credential: Its number, journaled as `source`.
        person: Person id.
        scope: "publish" or "follow".
        label: What the person calls it.
        created_ms: When it was made.
        secret: What the client sends as bearer; shown once, empty ever after.
    """

    id: str
    credential: int
    person: str
    scope: str
    label: str
    created_ms: int
    secret: str = ""


def shown(key: StoredKey, secret: str) -> Key:
    """A key as its person sees it; `secret` only in the answer to its making."""
    return Key(key.id, key.credential, key.person, key.scope, key.label, key.created_ms, secret)

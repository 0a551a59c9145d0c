"""Who a request comes from, and what it may do."""

from typing import Final, NamedTuple

PUBLISH: Final = "publish"
FOLLOW: Final = "follow"
SHARE: Final = "share"

KEY_SCOPES: Final = frozenset({PUBLISH, FOLLOW})
"""What a key may open; one key opens one of them."""

DEVICE_SCOPES: Final = frozenset({PUBLISH, FOLLOW})
"""What a person's own device may do once signed in. Publishing needs a sharer as well."""

SHARE_SCOPES: Final = frozenset({SHARE})
"""What a session of an old Share client may do: publish and read one sharer through the Share endpoints."""


class Identity(NamedTuple):
    """Who a request comes from.

    Attributes:
        person: Person id.
        scopes: Of "publish", "follow", "share".
        sharer: Number of the sharer this credential publishes for, -1 for none.
        credential: Number of the credential, journaled as `source`.
    """

    person: str
    scopes: frozenset[str]
    sharer: int
    credential: int


class Uploader(NamedTuple):
    """Who uploads: the sharer's number and the number of the credential used."""

    sharer: int
    credential: int

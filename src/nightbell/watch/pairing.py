"""The pairing: all that the watcher is given to reach its platform. The platform writes it."""

from typing import Final

import msgspec

PAIRING_BYTES_MAX: Final = 256 * 1024
CANARIES_MAX: Final = 1_000

CANARIES: Final = 19
"""How many hidden sharers a pairing has: 18 that go round, for three gaps of 180 s at a round every 30 s, and
the one that knocks. With 12 a round could begin only every 45 s, and two rounds are needed within a
minute."""


class PairedCanary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One hidden sharer.

    Attributes:
        person: Person id.
        sharer: The sharer's number, as the stream names it.
        key: The key that publishes for it. A secret.
    """

    person: str
    sharer: int
    key: str


class Pairing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach the platform, and as whom.

    Attributes:
        base_url: Where the platform answers, as `https://127.0.0.1:8377`.
        follower: Person id of the hidden follower of all canaries.
        follower_key: Its key: opens the stream and answers. A secret.
        roster_key: Opens the roster. A secret.
        canaries: The hidden sharers; none if the operator wants no test readings.
        tls_ca_file: Certificates to trust instead of the system's; empty for those.
        tls_name: The name in the platform's certificate where it is not that of `base_url`.
    """

    base_url: str
    follower: str
    follower_key: str
    roster_key: str
    canaries: tuple[PairedCanary, ...]
    tls_ca_file: str = ""
    tls_name: str = ""


def read_pairing(raw: bytes) -> Pairing:
    """Decode a pairing.

    Raises:
        ValueError: It is not one, or is out of bounds.
    """
    if len(raw) > PAIRING_BYTES_MAX:
        raise ValueError("too large to be a pairing")
    try:
        pairing = msgspec.json.decode(raw, type=Pairing)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a pairing: {error}") from None
    if not pairing.base_url.startswith(("http://", "https://")):
        raise ValueError("its base_url is not http or https")
    if len(pairing.canaries) > CANARIES_MAX:
        raise ValueError("too many canaries")
    return pairing


def written_pairing(pairing: Pairing) -> bytes:
    """Encode a pairing for its file."""
    return msgspec.json.format(msgspec.json.encode(pairing), indent=2) + b"\n"

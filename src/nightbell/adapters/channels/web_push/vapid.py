"""Who pushes: a token that a push service checks with the key under which the device subscribed (RFC 8292).

A subscription is bound to that key for life, so the key is never changed by itself. One token serves one push
service for half a day. Each is made of claims of its own: a token made out to one service and shown to
another is refused there.
"""

from collections import OrderedDict
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from nightbell.adapters.channels.web_push.encryption import public_bytes
from nightbell.adapters.channels.web_push.subscription import to_base64url

LIFE_S: Final = 12 * 60 * 60
"""How long a token holds. RFC 8292 allows 24 h; half of it bears a clock that is hours off."""

RENEW_BEFORE_S: Final = 60 * 60
"""A token with less left than this is made anew: the service's clock need not agree with ours."""

SERVICES_MAX: Final = 64
"""Of how many push services a token is kept: browsers of today use five."""

_HALF_BYTES: Final = 32
_HEAD: Final = to_base64url(b'{"typ":"JWT","alg":"ES256"}')


class _Claims(msgspec.Struct, frozen=True):
    aud: str
    exp: int
    sub: str


class Vapid:
    """Makes the value of the header `Authorization`.

    Args:
        key: The key under which devices subscribe.
        contact: Whom a push service writes to.
    """

    def __init__(self, key: EllipticCurvePrivateKey, contact: str) -> None:
        self._key = key
        self._contact = contact
        self.public_key: Final = to_base64url(public_bytes(key))
        self._tokens: OrderedDict[str, tuple[int, str]] = OrderedDict()

    def authorization(self, origin: str, *, now_s: int) -> str:
        """For one push service, now."""
        until_s, token = self._tokens.get(origin, (0, ""))
        # One that would hold for longer than we ever give was made before our clock was set back.
        if not RENEW_BEFORE_S <= until_s - now_s <= LIFE_S:
            until_s, token = now_s + LIFE_S, self._token(origin, now_s + LIFE_S)
        self._tokens[origin] = (until_s, token)
        self._tokens.move_to_end(origin)
        if len(self._tokens) > SERVICES_MAX:
            self._tokens.popitem(last=False)
        return f"vapid t={token}, k={self.public_key}"

    def _token(self, origin: str, until_s: int) -> str:
        claims = msgspec.json.encode(_Claims(origin, until_s, self._contact))
        signed = f"{_HEAD}.{to_base64url(claims)}"
        halves = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        signature = b"".join(half.to_bytes(_HALF_BYTES, "big") for half in halves)
        return f"{signed}.{to_base64url(signature)}"

"""The signature of a webhook: who posts this, and that nobody changed it or kept it for later.

The header says `t=<seconds>,v1=<hex>`: the time of sending, and HMAC-SHA256 with the follower's secret over
the time, a dot, and the body. Whoever receives it computes the same, compares in constant time, and drops
what is older than five minutes. Stripe and others sign in this form, so libraries for it exist.
"""

import hashlib
import hmac
from typing import Final

HEADER: Final = "Nightbell-Signature"


def secret_of(master: bytes, person: str) -> str:
    """A follower's own secret, made from one key of ours: nothing to store, and none opens another's."""
    return hmac.new(master, b"webhook:" + person.encode(), hashlib.sha256).hexdigest()


def signature(secret: str, body: bytes, *, at_s: int) -> str:
    """The value of the header."""
    mac = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256)
    return f"t={at_s},v1={mac.hexdigest()}"

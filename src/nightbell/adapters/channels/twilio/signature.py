"""How we know that a post comes from Twilio.

It signs the URL it was given with our auth token, followed by every field of the form in order of its name,
each name and value without anything between. Whoever cannot make that signature did not get the URL from us.
Source: Twilio, "Security", validating signatures.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

HEADER: Final = "x-twilio-signature"

_PORTS: Final = {"https": 443, "http": 80}


def signature(auth_token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """The value of the header. Of a field that stands there twice with the same value, one counts."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    mac = hmac.new(auth_token.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode("ascii")


def is_genuine(auth_token: str, url: str, fields: Sequence[tuple[str, str]], given: str) -> bool:
    """Whether the header's value is right for this URL, with or without its port. In constant time."""
    wanted = [signature(auth_token, spelling, fields) for spelling in _spellings(url)]
    matches = [hmac.compare_digest(one.encode(), given.encode("utf-8", "surrogatepass")) for one in wanted]
    return bool(auth_token) and any(matches)


def _spellings(url: str) -> Iterator[str]:
    """The URL as it is, and with its port written or left out: which one is signed has changed."""
    yield url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    if parts.scheme not in _PORTS or not parts.netloc:
        return
    netloc = f"{parts.netloc}:{_PORTS[parts.scheme]}" if port is None else parts.netloc.rpartition(":")[0]
    # Put in by hand: urlunsplit would tidy up the rest, and every letter is signed.
    yield url.replace(f"//{parts.netloc}", f"//{netloc}", 1)

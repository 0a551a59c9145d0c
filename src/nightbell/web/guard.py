"""Who a request comes from, and whether its page meant to send it."""

import hashlib
import hmac
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from nightbell.account.identity import FOLLOW, Identity
from nightbell.account.person import Person
from nightbell.account.sign_in import SignedIn
from nightbell.web.ports import House
from nightbell.web.stream import COOKIE
from nightbell.words.errors import CallerError, ErrorCode

COOKIE_HEADER_MAX: Final = 8 * 1024
BEARER_CHARS_MAX: Final = 4 * 1024

COOKIE_SECONDS: Final = 400 * 86_400
"""As long as browsers keep one (draft-ietf-httpbis-rfc6265bis): the grant says itself when it ends."""

RENEWED: Final = "nightbell_renewed"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_SEAL_PURPOSE: Final = b"nightbell form "
_HSTS: Final = "max-age=31536000"


class Caller(NamedTuple):
    """Who calls.

    Attributes:
        identity: What they may do.
        person: Who they are.
        bearer: Their grant or key.
        by_cookie: Whether a browser sent it by itself.
    """

    identity: Identity
    person: Person
    bearer: str
    by_cookie: bool


def bearer_of(headers: Mapping[str, str]) -> tuple[str, bool]:
    """The grant or key of a request, and whether it came as a cookie; empty if there is none."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return value.strip()[: BEARER_CHARS_MAX + 1], False
    try:
        morsel = SimpleCookie(headers.get("cookie", "")[:COOKIE_HEADER_MAX]).get(COOKIE)
    except CookieError:
        return "", False
    return ("", False) if morsel is None else (morsel.value[: BEARER_CHARS_MAX + 1], True)


def caller_of(headers: Mapping[str, str], house: House, now_ms: int) -> Caller | None:
    """Who calls; None if nobody we know."""
    bearer, by_cookie = bearer_of(headers)
    if not bearer or len(bearer) > BEARER_CHARS_MAX or not bearer.isascii():
        return None
    identity = house.accounts.identify(bearer, now_ms)
    person = None if identity is None else house.accounts.person(identity.person)
    if identity is None or person is None:
        return None
    return Caller(identity, person, bearer, by_cookie)


def same_origin(headers: Mapping[str, str], public_url: str) -> bool | None:
    """Whether a page of ours sent this; None where the browser does not say.

    A form on a page with `Referrer-Policy: no-referrer` sends `Origin: null`, and over plain HTTP there is no
    `Sec-Fetch-Site` either: then only the seal in the form can tell (Fetch standard, "append a request Origin
    header").
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "null")
    if origin == "null":
        return None
    return urlsplit(origin).netloc in {headers.get("host", ""), urlsplit(public_url).netloc}


def seal_of(bearer: str) -> str:
    """What our own forms carry and no other site can know: made from the grant, without giving it away."""
    return hashlib.sha256(_SEAL_PURPOSE + bearer.encode()).hexdigest()[:32]


def check_sent_by_us(
    headers: Mapping[str, str], method: str, house: House, *, by_cookie: bool, seal: str = ""
) -> None:
    """Let a change through only if a page of ours asked for it.

    `seal` is what a form carried; empty for requests by script, which always name their origin.

    Raises:
        CallerError: `NOT_ALLOWED`.
    """
    if method in _SAFE_METHODS:
        return
    ours = same_origin(headers, house.place.public_url)
    if ours or (not by_cookie and ours is None):
        return
    bearer, _ = bearer_of(headers)
    if ours is None and seal and hmac.compare_digest(seal.encode(), seal_of(bearer).encode()):
        return
    raise CallerError(ErrorCode.NOT_ALLOWED, house.words.say("page.foreign_origin"))


def require(caller: Caller | None, house: House) -> Caller:
    """The caller, who may follow.

    Raises:
        CallerError: `NOT_SIGNED_IN`; `NOT_ALLOWED` for a key that may only publish.
    """
    if caller is None:
        raise CallerError(ErrorCode.NOT_SIGNED_IN, house.words.say("errors.not_signed_in"))
    if FOLLOW not in caller.identity.scopes:
        raise CallerError(ErrorCode.NOT_ALLOWED, house.words.say("errors.not_allowed"))
    return caller


def grant_cookies(signed_in: SignedIn | None, house: House, now_ms: int) -> list[Cookie]:
    """The cookies that keep a browser signed in, or that end it.

    The second one only remembers that it is not yet time to renew; it opens nothing.
    """
    seconds = COOKIE_SECONDS if signed_in else 0
    wait_s = max(0, signed_in.renew_ms - now_ms) // 1000 if signed_in else 0
    values = ((COOKIE, signed_in.token if signed_in else "", seconds), (RENEWED, "yes", wait_s))
    return [
        Cookie(
            key=key,
            value=value,
            max_age=max_age,
            path="/",
            secure=house.place.tls,
            httponly=True,
            samesite="strict",
        )
        for key, value, max_age in values
    ]


def should_renew(headers: Mapping[str, str]) -> bool:
    """Whether it is time for this browser to renew its grant."""
    return f"{RENEWED}=" not in headers.get("cookie", "")[:COOKIE_HEADER_MAX]


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address a request came from, for limits only."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def page_headers(*, tls: bool) -> dict[str, str]:
    """What every page and every answer of the API carries."""
    headers = {
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=()",
        "cache-control": "no-store",
    }
    if tls:
        headers["strict-transport-security"] = _HSTS
    return headers

"""The Web Push channel."""

import os
from typing import Final, assert_never

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from nightbell.adapters.channels.web_push.body import body_of, topic_of, ttl_s
from nightbell.adapters.channels.web_push.encryption import SALT_BYTES, sealed
from nightbell.adapters.channels.web_push.settings import WebPushSettings, is_contact
from nightbell.adapters.channels.web_push.subscription import Subscription, subscription_of
from nightbell.adapters.channels.web_push.vapid import Vapid
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import HttpAnswer, HttpClient, HttpFailure
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable, one_line
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock

RETRY_AFTER_MS_MAX: Final = 60 * 60_000
DIGITS_MAX: Final = 9
PROVIDER_ID_LENGTH_MAX: Final = 100

_GONE: Final = frozenset({404, 410})
"""The subscription is over (RFC 8030, section 7.3)."""

_OTHER_KEY: Final = frozenset({400, 401, 403})
"""How services answer to a subscription made under another key of ours, or to a token they do not like."""

_TOO_LARGE: Final = 413
_LATER: Final = frozenset({408, 425, 429})


class WebPushChannel:
    """A `tell.channel.Channel`; its address is the JSON of a browser's subscription.

    Args:
        http: The way out.
        settings: Who we are.
        key: The key under which devices subscribe; None if its file cannot be used.
        clock: The time of day.
    """

    name = "web_push"
    checklist = Checklist(
        proof=Proof.DELIVERED,
        duplicates_merge=False,
        may_wake=False,
        at_most_per_minute=0,
        promise="deliver.promise_web_push",
    )

    def __init__(
        self,
        http: HttpClient,
        settings: WebPushSettings,
        *,
        key: EllipticCurvePrivateKey | None,
        clock: Clock,
    ) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._vapid = Vapid(key, settings.contact) if key is not None else None

    @property
    def public_key(self) -> str:
        """What a page subscribes with; empty if there is none."""
        return self._vapid.public_key if self._vapid is not None else ""

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Push once."""
        words = catalogue()
        if self._vapid is None:
            return Unavailable(words.say("deliver.web_push_no_key"))
        to = subscription_of(address)
        if to is None:
            return Refused(words.say("deliver.web_push_bad_address"))
        answer = await self._http.post(
            to.endpoint,
            headers=self._headers(self._vapid, message, to),
            body=self._body(message, to, idempotency_key),
        )
        match answer:
            case HttpAnswer():
                return _outcome(answer)
            case HttpFailure(reason, forbidden):
                return Refused(one_line(reason)) if forbidden else Unavailable(one_line(reason))
            case _:
                assert_never(answer)

    async def prove(self) -> str:
        """Whether we could push; nobody is told anything. Empty if so, else what is wrong and what to do."""
        words = catalogue()
        if self._vapid is None:
            return words.say("deliver.web_push_no_key")
        if not is_contact(self._settings.contact):
            return words.say("deliver.web_push_no_contact")
        if not self._settings.public_url.startswith("https://"):
            return words.say("deliver.web_push_no_tls")
        return ""

    def _headers(self, vapid: Vapid, message: Message, to: Subscription) -> dict[str, str]:
        now_ms = self._clock.now_ms()
        headers = {
            "Authorization": vapid.authorization(to.origin, now_s=now_ms // 1000),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(ttl_s(message, now_ms)),
            "Urgency": "high" if message.urgent else "normal",
            "User-Agent": "Nightbell",
        }
        topic = topic_of(message)
        return headers | {"Topic": topic} if topic else headers

    def _body(self, message: Message, to: Subscription, key: str) -> bytes:
        plain = body_of(
            message,
            key=key,
            public_url=self._settings.public_url,
            now_ms=self._clock.now_ms(),
            words=catalogue(),
        )
        return sealed(plain, to, once=generate_private_key(SECP256R1()), salt=os.urandom(SALT_BYTES))


def _outcome(answer: HttpAnswer) -> Outcome:
    """What a push service's answer means. 201 says that it took the push, not that a phone has it."""
    words, status = catalogue(), answer.status
    if 200 <= status < 300:  # noqa: PLR2004 the classes of HTTP statuses
        # `Location` names the push, but opens it too: it is not kept.
        return Sent(one_line(answer.headers.get("apns-id", ""))[:PROVIDER_ID_LENGTH_MAX])
    if status in _GONE:
        return Refused(words.say("deliver.web_push_gone"), lost=True)
    if status in _OTHER_KEY:
        return Refused(words.say("deliver.web_push_other_key", status=status))
    if status == _TOO_LARGE:
        return Refused(words.say("deliver.web_push_too_large"))
    if status >= 500 or status in _LATER:  # noqa: PLR2004 the classes of HTTP statuses
        return Unavailable(words.say("deliver.web_push_away", status=status), _retry_after_ms(answer))
    return Refused(words.say("deliver.web_push_refused", status=status))


def _retry_after_ms(answer: HttpAnswer) -> int:
    """How long the service asked us to wait; its form as a date is read as no wish at all."""
    value = answer.headers.get("retry-after", "")
    if not (value.isascii() and value.isdigit()):
        return 0
    return min(int(value[:DIGITS_MAX]) * 1000, RETRY_AFTER_MS_MAX)

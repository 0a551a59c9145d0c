"""The signed webhook channel."""

from collections.abc import Callable
from typing import Final, assert_never

import msgspec

from nightbell.adapters.channels.webhook.signature import HEADER, signature
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import HttpAnswer, HttpClient, HttpFailure, retry_after_ms
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable, one_line
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock

PROVIDER_ID_LENGTH_MAX: Final = 100

_LATER: Final = frozenset({408, 425, 429})
"""Of the answers that blame us, those that a later try may change (RFC 9110, 8470, 6585)."""


class WebhookBody(msgspec.Struct, frozen=True):
    """What is posted.

    Attributes:
        id: The same on every try: whoever has seen it drops the second.
        subject: The meaning in its first 40 characters.
        text: The whole.
        urgent: Whether it should wake.
        made_ms: When it was made, epoch ms.
        fields: The same for a program, as in `Message.fields`.
    """

    id: str
    subject: str
    text: str
    urgent: bool
    made_ms: int
    fields: dict[str, str | int | bool]


class WebhookChannel:
    """A `tell.channel.Channel`; its address is a URL."""

    name = "webhook"
    checklist = Checklist(
        proof=Proof.NOTHING,
        duplicates_merge=True,
        may_wake=True,
        at_most_per_minute=0,
        promise="deliver.promise_webhook",
    )

    def __init__(self, http: HttpClient, *, secret_of: Callable[[str], str], clock: Clock) -> None:
        self._http = http
        self._secret_of = secret_of
        self._clock = clock

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Post once, signed with the receiver's own secret."""
        body = msgspec.json.encode(
            WebhookBody(
                id=idempotency_key,
                subject=message.subject,
                text=message.text,
                urgent=message.urgent,
                made_ms=message.made_ms,
                fields=message.fields,
            )
        )
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Nightbell",
            "Idempotency-Key": idempotency_key,
            HEADER: signature(self._secret_of(message.to), body, at_s=self._clock.now_ms() // 1000),
        }
        answer = await self._http.post(address, headers=headers, body=body)
        match answer:
            case HttpAnswer():
                return _outcome(answer)
            case HttpFailure(reason, forbidden):
                return Refused(one_line(reason)) if forbidden else Unavailable(one_line(reason))
            case _:
                assert_never(answer)


def _outcome(answer: HttpAnswer) -> Outcome:
    words = catalogue()
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 the classes of HTTP statuses
        return Sent(one_line(answer.headers.get("x-request-id", ""))[:PROVIDER_ID_LENGTH_MAX])
    if 300 <= status < 400:  # noqa: PLR2004 the classes of HTTP statuses
        return Refused(words.say("deliver.webhook_redirect"))
    if status >= 500 or status in _LATER:  # noqa: PLR2004 the classes of HTTP statuses
        return Unavailable(words.say("deliver.webhook_away", status=status), retry_after_ms(answer))
    return Refused(words.say("deliver.webhook_refused", status=status))

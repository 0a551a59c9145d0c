"""The SMS channel: the meaning and a link, in one segment where that can be."""

from typing import Final
from urllib.parse import quote

from nightbell.adapters.channels.twilio.address import is_address
from nightbell.adapters.channels.twilio.api import Thing, TwilioApi
from nightbell.adapters.channels.twilio.callbacks import HEARD, Part, callback_url, read
from nightbell.adapters.channels.twilio.codes import failed
from nightbell.adapters.channels.twilio.gsm import SEGMENTS_MAX, cut, plain, segments
from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.tell.callback import Callback, CallbackAnswer, News, NewsKind
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import OriginClient
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.tier import Tier

VALID_S_MAX: Final = 36_000
"""Longest time Twilio lets a text wait. Source: Twilio, Message resource, `ValidityPeriod`."""

ASK_EVERY_MS: Final = 15_000
"""Networks say within seconds to minutes whether a text arrived."""


class SmsChannel:
    """A `tell.channel.Channel`, `TakesCallbacks` and `Asks`; its address is a number as E.164 has it."""

    name = "sms"
    ask_every_ms = ASK_EVERY_MS

    def __init__(self, http: OriginClient, settings: TwilioSettings, clock: Clock) -> None:
        self._api = TwilioApi(http, settings)
        self._settings = settings
        self._clock = clock
        self.checklist = Checklist(
            tier=Tier.CALL,
            proof=Proof.DELIVERED,
            duplicates_merge=False,
            may_wake=False,
            at_most_per_minute=0,
            promise="deliver.promise_sms",
            at_most_per_s=settings.sms_per_s,
        )

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Send one text."""
        if not is_address(address):
            return Refused(catalogue().say("deliver.twilio_bad_number"))
        settings = self._settings
        left_s = -((self._clock.now_ms() - message.expires_ms) // 1000)
        fields = {
            "To": address,
            "Body": body(message, settings.public_url),
            "ValidityPeriod": str(max(1, min(left_s, VALID_S_MAX))),
            "RiskCheck": "disable",  # what looks like a flood is an alarm
        }
        if settings.messaging_service_sid:
            fields["MessagingServiceSid"] = settings.messaging_service_sid
        else:
            fields["From"] = settings.sms_from
        callback = callback_url(settings, self.name, message.id, Part.STATUS)
        if callback:
            fields["StatusCallback"] = callback
        return await self._api.create(Thing.MESSAGE, fields, idempotency_key=idempotency_key)

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take what Twilio says became of a text."""
        posted = read(self._settings, callback)
        if isinstance(posted, CallbackAnswer):
            return posted
        status = posted.fields.get("MessageStatus", "")
        return CallbackAnswer(HEARD.status, news_of(posted.message, status, posted.error_code))

    async def ask(self, message: str, provider_id: str) -> tuple[News, ...]:
        """Ask what became of a text."""
        text = await self._api.look(Thing.MESSAGE, provider_id)
        return () if text is None else news_of(message, text.status, text.error_code or 0)

    async def prove(self) -> str:
        """What is wrong with the account or our address, and what to do; empty if nothing is."""
        unfit = self._settings.public_url and self._settings.auth_token and not self._settings.callback_root
        return await self._api.prove() or (catalogue().say("deliver.twilio_public_url") if unfit else "")


def news_of(message: str, status: str, code: int) -> tuple[News, ...]:
    """What a status says. Most say only that it is on its way, and so does one that we do not know."""
    match status:
        case "delivered":
            return (News(message, NewsKind.DELIVERED),)
        case "read":
            return (News(message, NewsKind.SEEN),)
        case "undelivered" | "failed" | "canceled":
            return (failed(message, code, "not_delivered"),)
        case _:
            return ()


def body(message: Message, public_url: str) -> str:
    """The text: what happened and where to look, in one segment if it can be and never in more than two."""
    words = catalogue()
    subject = plain(message.subject)
    alarm = str(message.fields.get("alarm", ""))
    links = [f"{public_url}/alarms/{quote(alarm, safe='')}"] if alarm else []
    texts = [
        words.say("deliver.sms_body", subject=subject, link=link) for link in [*links, public_url] if link
    ]
    texts.append(words.say("deliver.sms_body_no_link", subject=subject))
    for segments_max in range(1, SEGMENTS_MAX + 1):
        # The link goes only where it alone is too long, not to save a second segment.
        for text in texts if segments_max == SEGMENTS_MAX else texts[: max(1, len(texts) - 1)]:
            if segments(text) <= segments_max:
                return text
    return cut(subject, SEGMENTS_MAX)

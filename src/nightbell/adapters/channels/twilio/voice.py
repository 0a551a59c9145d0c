"""The voice channel: a call that says what happened and takes a key. Only the key is an answer.

That a line was answered says little: it may be voicemail, in a network that never reached the phone. So an
answered line is no news at all, neither delivered nor seen. A pressed key is: nobody but a person presses
one. A call that was heard to its end without a key has failed, and the ladder goes on.
"""

from typing import Final

from nightbell.adapters.channels.twilio.address import is_address
from nightbell.adapters.channels.twilio.api import Thing, TwilioApi
from nightbell.adapters.channels.twilio.callbacks import HEARD, Part, Posted, callback_url, read
from nightbell.adapters.channels.twilio.codes import failed
from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.twiml import goodbye, once_more, opening
from nightbell.tell.callback import Callback, CallbackAnswer, News, NewsKind
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import OriginClient
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused
from nightbell.words.catalogue import catalogue
from nightbell.words.tier import Tier

CALL_S_MAX: Final = 180
"""Longest call: everything said twice, a second chance, and a voicemail that never ends is cut."""

ASK_EVERY_MS: Final = 10_000
"""A call is over within half a minute or is being listened to."""

GOT_IT: Final = "1"
NEXT_PERSON: Final = "2"

_ENDED_BADLY: Final = {"busy": "line_busy", "no-answer": "nobody_came", "failed": "no_line"}
"""How a call ends that nobody took, and the word for it. Canceled is what we do ourselves."""


class VoiceChannel:
    """A `tell.channel.Channel`, `TakesCallbacks`, `Asks` and `Retracts`; its address is a number of E.164.

    Args:
        http: The way to Twilio.
        settings: The account; it must be one that `makes_calls`.
    """

    name = "voice"
    ask_every_ms = ASK_EVERY_MS

    def __init__(self, http: OriginClient, settings: TwilioSettings) -> None:
        assert settings.makes_calls, "without a way back no key arrives: this channel is not offered then"
        self._api = TwilioApi(http, settings)
        self._settings = settings
        self.checklist = Checklist(
            tier=Tier.CALL,
            proof=Proof.ANSWERED,
            duplicates_merge=False,
            may_wake=True,
            at_most_per_minute=2,
            promise="deliver.promise_voice",
            at_most_per_s=settings.calls_per_s,
        )

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        """Call once."""
        if not is_address(address):
            return Refused(catalogue().say("deliver.twilio_bad_number"))
        fields = {
            "To": address,
            "From": self._settings.voice_from,
            "Twiml": opening(
                message, key_url=self._url(message.id, Part.KEY), end_url=self._url(message.id, Part.NO_KEY)
            ),
            "Timeout": str(self._settings.ring_s),
            "TimeLimit": str(CALL_S_MAX),
            "StatusCallback": self._url(message.id, Part.STATUS),
        }
        if self._settings.notices_voicemail:
            # Asynchronous: a person who picks up must not hear silence while Twilio listens.
            fields |= {
                "MachineDetection": "Enable",
                "AsyncAmd": "true",
                "AsyncAmdStatusCallback": self._url(message.id, Part.WHO_ANSWERED),
            }
        return await self._api.create(Thing.CALL, fields, idempotency_key=idempotency_key)

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take a key, or how a call ended; answer with what the call says next."""
        posted = read(self._settings, callback)
        if isinstance(posted, CallbackAnswer):
            return posted
        message, fields = posted.message, posted.fields
        match posted.part:
            case Part.KEY | Part.KEY_AGAIN:
                return self._key(posted)
            case Part.NO_KEY:
                return _spoken(goodbye("deliver.voice_no_key"), failed(message, 0, "no_key"))
            case Part.WHO_ANSWERED:
                return _quietly(_who(message, fields.get("AnsweredBy", "")))
            case Part.STATUS:
                return _quietly(news_of(message, fields.get("CallStatus", ""), posted.error_code))

    async def ask(self, message: str, provider_id: str) -> tuple[News, ...]:
        """Ask how a call ended. A key that was pressed is not known there."""
        call = await self._api.look(Thing.CALL, provider_id)
        return () if call is None else news_of(message, call.status, 0)

    async def retract(self, message: str, provider_id: str, address: str) -> Outcome:  # noqa: ARG002 the id is enough
        """Hang up, whether it rings, waits to be called, or is being listened to."""
        return await self._api.change(Thing.CALL, provider_id, {"Status": "completed"})

    async def prove(self) -> str:
        """What is wrong with the account, and what to do; empty if nothing is."""
        return await self._api.prove()

    def _url(self, message: str, part: Part) -> str:
        return callback_url(self._settings, self.name, message, part)

    def _key(self, posted: Posted) -> CallbackAnswer:
        message = posted.message
        match posted.fields.get("Digits", ""):
            case "":
                return _spoken(goodbye("deliver.voice_no_key"), failed(message, 0, "no_key"))
            case key if key == GOT_IT:
                return _spoken(goodbye("deliver.voice_got_it"), News(message, NewsKind.ANSWERED))
            case key if key == NEXT_PERSON:
                return _spoken(goodbye("deliver.voice_passed_on"), News(message, NewsKind.PASSED_ON))
            case _ if posted.part is Part.KEY:
                urls = {
                    "key_url": self._url(message, Part.KEY_AGAIN),
                    "end_url": self._url(message, Part.NO_KEY),
                }
                return _spoken(once_more(**urls), News(message, NewsKind.SEEN))
            case _:
                return _spoken(goodbye("deliver.voice_no_key"), News(message, NewsKind.SEEN))


def why_not_offered(settings: TwilioSettings) -> str:
    """Why no calls are made although a number for them is set, and what to do; empty if that is not so."""
    if not settings.voice_from or settings.makes_calls:
        return ""
    return catalogue().say("deliver.twilio_no_way_back")


def news_of(message: str, status: str, code: int) -> tuple[News, ...]:
    """What a call's status says. That it was taken says nothing: only a key does."""
    if status in _ENDED_BADLY:
        return (failed(message, code, _ENDED_BADLY[status]),)
    return ()


def _who(message: str, answered_by: str) -> tuple[News, ...]:
    """A machine took the call. That a person did is a guess, and no proof of anything."""
    machine = answered_by.startswith("machine") or answered_by == "fax"
    return (failed(message, 0, "voicemail"),) if machine else ()


def _quietly(news: tuple[News, ...]) -> CallbackAnswer:
    return CallbackAnswer(HEARD.status, news)


def _spoken(twiml: str, news: News) -> CallbackAnswer:
    return CallbackAnswer(200, (news,), "text/xml", twiml.encode())

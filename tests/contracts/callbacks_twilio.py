"""Twilio's texts and calls in `test_callback_contract.py`."""

from collections.abc import Sequence
from typing import Final

import msgspec

from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.adapters.channels.twilio.signature import HEADER
from nightbell.adapters.channels.twilio.sms import SmsChannel
from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.http_client import HttpLimits, HttpxOriginClient
from nightbell.tell.callback import Callback, NewsKind
from nightbell.tell.http import HttpAnswer, HttpFailure
from nightbell.tell.message import Message
from nightbell.tell.outcome import Sent
from nightbell.words.clock import ManualClock
from tests.contracts.callback_case import CallbackCase, Genuine
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.twilio_server import ACCOUNT, SMS_FROM, TOKEN, VOICE_FROM, TwilioServer, signed

WHOLE_MS: Final = 400
BEN: Final = "+351910000001"
MESSAGE: Final = Message("f" * 32, "ben", "Ana is VERY LOW: 52", "Check Ana now.", urgent=True)
PUBLIC: Final = "https://bell.example.test"


def settings(api_url: str = "https://api.twilio.com", *, voicemail: bool = False) -> TwilioSettings:
    """The account of the simulator."""
    return TwilioSettings(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        sms_from=SMS_FROM,
        voice_from=VOICE_FROM,
        public_url=PUBLIC,
        api_url=api_url,
        notices_voicemail=voicemail,
    )


class Nobody:
    """A way out that nothing may take: callbacks are understood without asking anybody."""

    async def post(self, url: str, **_: object) -> HttpAnswer | HttpFailure:
        raise AssertionError(url)

    async def get(self, url: str, **_: object) -> HttpAnswer | HttpFailure:
        raise AssertionError(url)


class Case:
    """Either channel."""

    message = MESSAGE.id

    def __init__(self, channel: SmsChannel | VoiceChannel, genuine: Sequence[Genuine]) -> None:
        self.channel = channel
        self._genuine = genuine

    def genuine(self) -> Sequence[Genuine]:
        return self._genuine

    def forged(self) -> Sequence[Callback]:
        forged: list[Callback] = []
        for callback, _ in self._genuine:
            fields = dict(pair.split("=") for pair in callback.body.decode().split("&"))
            mac = callback.headers[HEADER]
            others = [
                signed(callback.url, fields, token="somebody else's token").headers,
                {**callback.headers, HEADER: mac.swapcase()},
                {**callback.headers, HEADER: ""},
                {**callback.headers, HEADER: mac + "é"},
                {name: value for name, value in callback.headers.items() if name != HEADER},
            ]
            forged += [msgspec.structs.replace(callback, headers=headers) for headers in others]
            forged.append(msgspec.structs.replace(callback, body=callback.body + b"&Digits=1%20"))
            forged.append(msgspec.structs.replace(callback, body=callback.body + b"&x=%ff"))
            forged.append(msgspec.structs.replace(callback, url=callback.url.replace("part=", "part=x")))
        return forged

    def with_more(self, callback: Callback) -> Callback:
        pairs = (pair.split("=") for pair in callback.body.decode().split("&"))
        fields = {name: value.replace("%2B", "+").replace("+", " ") for name, value in pairs}
        return signed(
            callback.url, {**fields, "AddedOneDay": "ünï & code", "Empty": "", "RawDlrDoneDate": "2"}
        )


def url(channel: str, part: str) -> str:
    return f"{PUBLIC}/v1/channels/{channel}?message={MESSAGE.id}&part={part}"


def sms() -> CallbackCase:
    def becomes(status: str, *kinds: NewsKind, **more: str) -> Genuine:
        fields = {"MessageSid": "SM" + "0" * 32, "AccountSid": ACCOUNT, "MessageStatus": status, **more}
        return Genuine(signed(url("sms", "status"), fields), kinds)

    genuine = [
        becomes("queued"),
        becomes("sent"),
        becomes("undelivered", NewsKind.FAILED, ErrorCode="30003"),
        becomes("undelivered", NewsKind.LOST, ErrorCode="30005"),
        becomes("delivered", NewsKind.DELIVERED),
        becomes("read", NewsKind.SEEN),
        becomes("failed", NewsKind.FAILED),
        becomes("some_new_status"),
    ]
    return Case(SmsChannel(Nobody(), settings(), ManualClock(NOW_MS)), genuine)


def voice() -> CallbackCase:
    def posts(part: str, *kinds: NewsKind, **more: str) -> Genuine:
        fields = {"CallSid": "CA" + "0" * 32, "AccountSid": ACCOUNT, "CallStatus": "in-progress", **more}
        return Genuine(signed(url("voice", part), fields), kinds)

    genuine = [
        posts("who", AnsweredBy="human"),
        posts("who", NewsKind.FAILED, AnsweredBy="machine_start"),
        posts("key", NewsKind.ANSWERED, Digits="1"),
        posts("key", NewsKind.PASSED_ON, Digits="2"),
        posts("key", NewsKind.SEEN, Digits="7"),
        posts("again", NewsKind.ANSWERED, Digits="1"),
        posts("again", NewsKind.SEEN, Digits="#"),
        posts("key", NewsKind.FAILED, Digits=""),
        posts("end", NewsKind.FAILED),
        posts("status", CallStatus="completed"),
        posts("status", NewsKind.FAILED, CallStatus="no-answer"),
        posts("status", CallStatus="canceled"),
    ]
    return Case(VoiceChannel(Nobody(), settings()), genuine)


CALLBACKS: Final = {"sms": sms, "voice": voice}


class Running:
    """A channel with a simulator that has taken one message."""

    message = MESSAGE.id
    address = BEN

    def __init__(self, server: TwilioServer) -> None:
        self._server = server
        self._http = HttpxOriginClient(server.origin, HttpLimits(connect_ms=WHOLE_MS // 2, whole_ms=WHOLE_MS))
        self.provider_id = ""

    async def _sent(self, channel: SmsChannel | VoiceChannel) -> None:
        outcome = await channel.send(MESSAGE, BEN, idempotency_key="key-1")
        assert isinstance(outcome, Sent)
        self.provider_id = outcome.provider_id

    def fail(self, fault: Fault) -> None:
        self._server.fault = fault

    def wrong(self) -> Sequence[str]:
        return self._server.wrong

    async def stop(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._http.close()


class AskSms(Running):
    kinds = (NewsKind.DELIVERED,)

    def __init__(self, server: TwilioServer) -> None:
        super().__init__(server)
        self.channel = SmsChannel(self._http, settings(server.origin), ManualClock(NOW_MS))


class AskVoice(Running):
    kinds = (NewsKind.FAILED,)

    def __init__(self, server: TwilioServer) -> None:
        super().__init__(server)
        self.channel = VoiceChannel(self._http, settings(server.origin))

    def is_silent(self) -> bool:
        return self._server.calls[self.provider_id]["status"] in ("completed", "canceled")


async def asked_sms() -> AskSms:
    server = TwilioServer()
    await server.start()
    case = AskSms(server)
    await case._sent(case.channel)
    server.becomes(case.provider_id, "delivered")
    return case


async def calling() -> AskVoice:
    server = TwilioServer()
    await server.start()
    case = AskVoice(server)
    await case._sent(case.channel)
    server.calls[case.provider_id]["status"] = "ringing"
    return case


async def asked_voice() -> AskVoice:
    case = await calling()
    case._server.ends(case.provider_id, "no-answer")
    return case


ASKS: Final = {"sms": asked_sms, "voice": asked_voice}
RETRACTS: Final = {"voice": calling}

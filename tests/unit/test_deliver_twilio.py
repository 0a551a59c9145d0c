"""SMS and calls through Twilio: what leaves, what its words mean, and that only a key is an answer."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.channels.twilio.address import is_address
from nightbell.adapters.channels.twilio.signature import is_genuine, signature
from nightbell.adapters.channels.twilio.sms import SmsChannel
from nightbell.adapters.channels.twilio.voice import VoiceChannel
from nightbell.adapters.http_client import HttpLimits, HttpxOriginClient
from nightbell.tell.callback import CallbackAnswer, NewsKind
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import NEVER_MS, ManualClock
from tests.contracts.callbacks_twilio import BEN, MESSAGE, PUBLIC, Nobody, settings
from tests.simulators.cast import NOW_MS
from tests.simulators.twilio_server import (
    ACCOUNT,
    API_KEY,
    API_SECRET,
    SERVICE,
    SMS_FROM,
    TOKEN,
    TwilioServer,
    check_twiml,
    signed,
)

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

LIMITS = HttpLimits(connect_ms=5_000, whole_ms=20_000)


class Line:
    """Both channels to one simulator."""

    def __init__(self, server: TwilioServer) -> None:
        self.server = server
        self.clock = ManualClock(NOW_MS)
        self.http = HttpxOriginClient(server.origin, LIMITS)
        self.settings = settings(server.origin)

    def sms(self, **changes: object) -> SmsChannel:
        return SmsChannel(self.http, msgspec.structs.replace(self.settings, **changes), self.clock)

    def voice(self, **changes: object) -> VoiceChannel:
        return VoiceChannel(self.http, msgspec.structs.replace(self.settings, **changes))


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    server = TwilioServer()
    await server.start()
    line = Line(server)
    yield line
    await line.http.close()
    await server.stop()
    assert server.wrong == []


async def sent(channel: SmsChannel | VoiceChannel) -> str:
    outcome = await channel.send(MESSAGE, BEN, idempotency_key="n.sms")
    assert isinstance(outcome, Sent)
    return outcome.provider_id


def kinds(answer: CallbackAnswer) -> list[NewsKind]:
    return [news.kind for news in answer.news]


def said(answer: CallbackAnswer) -> str:
    """What the call says next, if Twilio would take it."""
    assert answer.status == 200
    assert answer.content_type == "text/xml"
    return "".join(check_twiml(answer.body.decode()).itertext())


@pytest.mark.parametrize(
    "number",
    [
        *("112", "911", "999", "110", "000", "+112", "+911", "+000", "+999", "+110", "+1911", "+19115550100"),
        *("+1112", "+44112", "+0351910000001", "00351910000001", "+35191", "+3519100000012345"),
        *("+351 910000001", "351910000001", "+351910000001\n", "tel:+351910000001", "+1555CALLBEN", "+", ""),
        "+٣٥١٩١٠٠٠٠٠١",
    ],
)
async def test_emergency_numbers_and_what_is_no_persons_number_are_never_dialled(
    line: Line, number: str
) -> None:
    assert not is_address(number)
    for channel in (line.sms(), line.voice()):
        assert isinstance(await channel.send(MESSAGE, number, idempotency_key="k"), Refused)
    assert line.server.connections == 0


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_every_other_number_of_e164_is_an_address(number: str) -> None:
    assert is_address(number) or number[1:5] in {f"1{digit}11" for digit in range(2, 10)}


def test_twilios_own_examples_of_signatures_are_ours() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = {"CallSid": "CA1234567890ABCDE", "Digits": "1234", "To": "+18005551212"}
    fields |= {"From": "+14158675309", "Caller": "+14158675309"}
    twice = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]

    assert signature("12345", url, list(fields.items())) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert signature("12345", url, [*twice, ("Digits", "1234")]) == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


@pytest.mark.parametrize(
    ("ours", "theirs", "genuine"),
    [
        ("https://bell.test/x?a=1", "https://bell.test:443/x?a=1", True),
        ("https://bell.test:443/x", "https://bell.test/x", True),
        ("https://bell.test:8443/x", "https://bell.test/x", True),
        ("http://bell.test/x", "http://bell.test:80/x", True),
        ("https://bell.test/x", "http://bell.test/x", False),
        ("https://bell.test/x", "https://bell.test/x/", False),
        ("https://bell.test:bad/x", "https://bell.test/x", False),
    ],
)
def test_a_port_may_be_written_or_not_and_nothing_else(
    ours: str,
    theirs: str,
    genuine: bool,  # noqa: FBT001 a table's column
) -> None:
    assert is_genuine(TOKEN, ours, [("a", "b")], signature(TOKEN, theirs, [("a", "b")])) is genuine


def test_without_a_token_nothing_is_genuine() -> None:
    assert not is_genuine("", "https://bell.test/", [], signature("", "https://bell.test/", []))


async def test_a_text_carries_what_was_asked_for_and_nothing_else(line: Line) -> None:
    urgent = msgspec.structs.replace(MESSAGE, expires_ms=NOW_MS + 90_500, fields={"alarm": "a" * 32})

    outcome = await line.sms().send(urgent, BEN, idempotency_key="n.sms")

    assert isinstance(outcome, Sent)
    text = line.server.messages[outcome.provider_id]
    assert text["To"] == BEN
    assert text["From"] == SMS_FROM
    assert text["ValidityPeriod"] == "91"
    assert text["StatusCallback"] == f"{PUBLIC}/v1/channels/sms?message={MESSAGE.id}&part=status"
    assert text["Body"] == (
        f"Ana is VERY LOW: 52. Open {PUBLIC}/alarms/{'a' * 32} Do not reply: we can not read it."
    )


@pytest.mark.parametrize(
    ("expires_ms", "valid_s"),
    [(NEVER_MS, "36000"), (NOW_MS + 86_400_000, "36000"), (NOW_MS + 1, "1"), (NOW_MS - 60_000, "1")],
)
async def test_a_text_is_good_for_as_long_as_its_message(line: Line, expires_ms: int, valid_s: str) -> None:
    message = msgspec.structs.replace(MESSAGE, expires_ms=expires_ms)

    await line.sms().send(message, BEN, idempotency_key="k")

    assert [text["ValidityPeriod"] for text in line.server.messages.values()] == [valid_s]


async def test_an_api_key_and_a_messaging_service_are_used_where_they_are_set(line: Line) -> None:
    del line.server.users[ACCOUNT]
    channel = line.sms(
        auth_token="",
        api_key_sid=API_KEY,
        api_key_secret=API_SECRET,
        sms_from="",
        messaging_service_sid=SERVICE,
    )

    text = line.server.messages[await sent(channel)]

    assert text["MessagingServiceSid"] == SERVICE
    assert "From" not in text
    assert "StatusCallback" not in text, "without the token nobody can tell who posts"


@pytest.mark.parametrize("public_url", ["", "https://my_bell.example.test"])
async def test_where_twilio_cannot_reach_us_texts_go_out_and_are_asked_for(
    line: Line, public_url: str
) -> None:
    channel = line.sms(public_url=public_url)
    sid = await sent(channel)

    before = await channel.ask(MESSAGE.id, sid)
    line.server.messages[sid]["status"] = "delivered"
    after = await channel.ask(MESSAGE.id, sid)

    assert "StatusCallback" not in line.server.messages[sid]
    assert before == ()
    assert [news.kind for news in after] == [NewsKind.DELIVERED]


async def test_delivered_stays_so_whatever_comes_after_it(line: Line) -> None:
    channel = line.sms()
    sid = await sent(channel)

    answers = [channel.heard(line.server.becomes(sid, status)) for status in ("delivered", "sent", "queued")]

    assert [kinds(answer) for answer in answers] == [[NewsKind.DELIVERED], [], []]
    assert all(answer.status == 204 for answer in answers)


@pytest.mark.parametrize(
    ("code", "kind", "part"),
    [
        ("30003", NewsKind.FAILED, "off"),
        ("30004", NewsKind.FAILED, "blocks"),
        ("30005", NewsKind.LOST, "no phone"),
        ("30006", NewsKind.LOST, "mobile"),
        ("21610", NewsKind.LOST, "STOP"),
        ("30007", NewsKind.FAILED, "junk"),
        ("30034", NewsKind.FAILED, "console"),
        ("30036", NewsKind.FAILED, "wait"),
        ("30008", NewsKind.FAILED, "30008"),
        ("", NewsKind.FAILED, "did not arrive"),
        ("²", NewsKind.FAILED, "did not arrive"),
        ("9" * 5_000, NewsKind.FAILED, "did not arrive"),
    ],
)
async def test_why_a_text_did_not_arrive_is_said_in_words(
    line: Line, code: str, kind: NewsKind, part: str
) -> None:
    channel = line.sms()
    sid = await sent(channel)

    (news,) = channel.heard(line.server.becomes(sid, "undelivered", code)).news

    assert news.kind is kind
    assert part in news.reason


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Refused("There is no phone with this number. Please check the number.", lost=True)),
        (400, 21614, Refused(catalogue().say("deliver.twilio_no_texts"), lost=True)),
        (400, 21635, Refused(catalogue().say("deliver.twilio_no_texts"), lost=True)),
        (400, 21610, Refused(catalogue().say("deliver.twilio_stopped"), lost=True)),
        (400, 99999, Refused("Twilio said no, with 99999.")),
        (401, 20003, Unavailable(catalogue().say("deliver.twilio_sign_in"))),
        (404, 20404, Unavailable(catalogue().say("deliver.twilio_sign_in"))),
        (403, 0, Unavailable(catalogue().say("deliver.twilio_sign_in"))),
        (400, 21606, Unavailable(catalogue().say("deliver.twilio_sender"))),
        (400, 21408, Unavailable(catalogue().say("deliver.twilio_region"))),
        (400, 21608, Unavailable(catalogue().say("deliver.twilio_trial"))),
        (429, 21611, Unavailable(catalogue().say("deliver.twilio_busy"), 7_000)),
        (429, 20429, Unavailable(catalogue().say("deliver.twilio_busy"), 7_000)),
        (429, 0, Unavailable(catalogue().say("deliver.twilio_busy"), 7_000)),
        (500, 20500, Unavailable("Twilio can not take it now, with 500.")),
        (302, 0, Unavailable("Twilio can not take it now, with 302.")),
    ],
)
async def test_what_twilio_says_to_a_new_text_or_call(
    line: Line, status: int, code: int, expected: Outcome
) -> None:
    line.server.error = (status, code)
    line.server.retry_after = "7" if status == 429 else ""

    outcomes = [await c.send(MESSAGE, BEN, idempotency_key="k") for c in (line.sms(), line.voice())]

    assert outcomes == [expected, expected]


@pytest.mark.parametrize(
    "key_and_kind", [("1", NewsKind.ANSWERED, "You've got it"), ("2", NewsKind.PASSED_ON, "next person")]
)
async def test_a_call_says_what_happened_twice_and_takes_a_key(
    line: Line, key_and_kind: tuple[str, NewsKind, str]
) -> None:
    key, kind, words = key_and_kind
    channel = line.voice()
    sid = await sent(channel)
    call = line.server.calls[sid]
    spoken = "".join(check_twiml(call["Twiml"]).itertext())

    answer = channel.heard(line.server.presses(sid, key))
    over = channel.heard(line.server.ends(sid, "completed"))

    assert spoken.count("This is Nightbell. Ana is very low: 52. Check Ana now. Press 1") == 2
    assert 30 <= int(call["Timeout"]) <= 35
    assert kinds(answer) == [kind]
    assert words in said(answer)
    assert check_twiml(answer.body.decode()).find("Hangup") is not None
    assert kinds(over) == []


async def test_a_wrong_key_gets_one_more_chance(line: Line) -> None:
    channel = line.voice()
    sid = await sent(channel)

    first = channel.heard(line.server.presses(sid, "5"))
    again = first.body.decode()
    right = channel.heard(line.server.presses(sid, "1", again))
    wrong = channel.heard(line.server.presses(sid, "#", again))
    silent = channel.heard(line.server.listens_to_the_end(sid, again))

    assert [kinds(answer) for answer in (first, right, wrong, silent)] == [
        [NewsKind.SEEN],
        [NewsKind.ANSWERED],
        [NewsKind.SEEN],
        [NewsKind.FAILED],
    ]
    assert "Press 1" in said(first)
    assert "Press 1" not in said(wrong)
    assert check_twiml(wrong.body.decode()).find("Hangup") is not None


@pytest.mark.parametrize(
    ("part", "fields", "status"),
    [
        ("key", {}, 400),  # as a GET would look, and signed all the same
        ("end", {}, 400),
        ("key", {"Digits": " 1"}, 200),
        ("key", {"Digits": "11"}, 200),
        ("key", {"digits": "1"}, 200),
        ("status", {"Digits": "1", "CallStatus": "completed"}, 204),
        ("nonsense", {"Digits": "1"}, 400),
    ],
)
def test_nothing_but_the_key_is_an_answer(part: str, fields: dict[str, str], status: int) -> None:
    channel = VoiceChannel(Nobody(), settings())
    url = f"{PUBLIC}/v1/channels/voice?message={MESSAGE.id}&part={part}"

    answer = channel.heard(signed(url, fields))

    assert answer.status == status
    assert not {NewsKind.ANSWERED, NewsKind.PASSED_ON} & set(kinds(answer))


async def test_voicemail_that_takes_the_call_is_never_an_answer(line: Line) -> None:
    channel = line.voice(notices_voicemail=True)
    sid = await sent(channel)

    machine = channel.heard(line.server.hears(sid, "machine_end_beep"))
    person = channel.heard(line.server.hears(sid, "human"))
    to_the_end = channel.heard(line.server.listens_to_the_end(sid))
    over = channel.heard(line.server.ends(sid, "completed", AnsweredBy="machine_start"))

    assert [kinds(answer) for answer in (machine, person, to_the_end, over)] == [
        [NewsKind.FAILED],
        [],
        [NewsKind.FAILED],
        [],
    ]
    assert "voicemail" in to_the_end.news[0].reason


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("busy", [NewsKind.FAILED]),
        ("no-answer", [NewsKind.FAILED]),
        ("failed", [NewsKind.FAILED]),
        ("canceled", []),
        ("in-progress", []),
        ("ringing", []),
        ("completed", []),
    ],
)
async def test_how_a_call_ends_is_heard_and_can_be_asked_for(
    line: Line, status: str, expected: list[NewsKind]
) -> None:
    channel = line.voice()
    sid = await sent(channel)

    heard = channel.heard(line.server.ends(sid, status))
    asked = await channel.ask(MESSAGE.id, sid)

    assert kinds(heard) == expected
    assert [news.kind for news in asked] == expected


@pytest.mark.parametrize(
    ("status", "becomes"),
    [("queued", "canceled"), ("ringing", "canceled"), ("in-progress", "completed"), ("busy", "busy")],
)
async def test_a_call_is_hung_up_wherever_it_stands(line: Line, status: str, becomes: str) -> None:
    channel = line.voice()
    sid = await sent(channel)
    line.server.calls[sid]["status"] = status

    outcome = await channel.retract(MESSAGE.id, sid, BEN)

    assert outcome == Sent(sid)
    assert line.server.calls[sid]["status"] == becomes


async def test_what_is_no_call_is_not_hung_up(line: Line) -> None:
    assert isinstance(await line.voice().retract(MESSAGE.id, "", BEN), Refused)
    assert isinstance(await line.voice().retract(MESSAGE.id, "CA/../../x", BEN), Refused)
    assert line.server.connections == 0


async def test_the_account_is_proved_without_telling_anybody(line: Line) -> None:
    good = await line.sms().prove()
    bad = await line.voice(auth_token="wrong").prove()
    line.server.account_status = "suspended"
    suspended = await line.sms().prove()
    await line.server.stop()
    gone = await line.sms().prove()

    assert good == ""
    assert "did not let us in" in bad
    assert "not active" in suspended
    assert gone == "The machine can not be reached."
    assert line.server.messages == line.server.calls == {}


async def test_a_caller_who_breaks_off_while_a_call_is_made_leaves_the_line_usable(line: Line) -> None:
    sending = [asyncio.create_task(sent(line.voice())) for _ in range(4)]
    await asyncio.sleep(0)
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)

    assert await sent(line.voice())

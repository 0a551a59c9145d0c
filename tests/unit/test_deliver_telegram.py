"""Telegram: the button and its proof, what is sent, what comes back, listening without being reachable."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.channels.telegram.button import answered, button_data
from nightbell.adapters.channels.telegram.channel import SECRET_HEADER, TelegramChannel
from nightbell.adapters.channels.telegram.settings import TelegramSettings
from nightbell.adapters.channels.telegram.updates import Linked, Update, taken
from nightbell.adapters.channels.telegram.wire import is_address, outcome_of, sending
from nightbell.adapters.http_client import ANSWER_BYTES_MAX, HttpxOriginClient
from nightbell.tell.callback import Callback, Listens, News, NewsKind
from nightbell.tell.http import HttpAnswer
from nightbell.tell.message import Message
from nightbell.tell.outcome import Refused, Sent, Unavailable
from tests.contracts.providers_pushover import PUBLIC_URL
from tests.simulators.cast import ALARM, NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.proofs import PROOFS, HashedProofs
from tests.simulators.telegram_server import CHAT, TOKEN, TelegramServer, no, pressed, units, written

PATIENCE_S = 20
MESSAGE = Message(
    id="c" * 32,
    to="ben",
    subject="Ana is VERY LOW: 52",
    text="Check Ana now.",
    urgent=True,
    made_ms=NOW_MS,
    fields={"alarm": ALARM, "kind": "ring"},
)


class Bot:
    """A channel at a simulated Telegram, and what it handed on."""

    def __init__(self, server: TelegramServer, **changes: Any) -> None:
        settings = TelegramSettings(token=TOKEN, api=server.origin, poll_s=1, pause_ms=20, pause_ms_max=80)
        self.links: list[Linked] = []
        self.news: list[News] = []
        self.http = HttpxOriginClient(server.origin)
        self.channel = TelegramChannel(
            self.http,
            msgspec.structs.replace(settings, **changes),
            proofs=PROOFS,
            linked=self.links.append,
        )
        self._listening: asyncio.Task[None] | None = None

    def listen(self) -> None:
        listens: Listens = self.channel

        async def listening() -> None:
            await listens.listen(self.news.append)

        self._listening = asyncio.create_task(listening())

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        await self.http.close()


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    server = TelegramServer()
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.005)


async def sent(bot: Bot, message: Message = MESSAGE) -> int:
    outcome = await bot.channel.send(message, CHAT, idempotency_key="k")
    assert isinstance(outcome, Sent)
    return int(outcome.provider_id)


@given(
    st.text("0123456789abcdef", min_size=32, max_size=32) | st.text("-_.:abcXYZ019", min_size=1, max_size=40)
)
def test_a_button_carries_any_id_with_its_whole_proof_in_64_bytes(message: str) -> None:
    data = button_data(message, PROOFS.of("telegram", message))

    assert 1 <= len(data.encode()) <= 64
    assert answered(data, PROOFS, "telegram") == message


def test_an_id_that_does_not_fit_has_no_button_rather_than_a_short_proof() -> None:
    assert button_data("n" * 41, "0" * 32) == ""
    assert button_data("ü" * 21, "0" * 32) == ""


@given(st.integers(0, 44), st.sampled_from("abcdefXYZ0189-_.o"))
def test_a_button_of_which_one_letter_is_changed_answers_nothing(place: int, letter: str) -> None:
    data = button_data(MESSAGE.id, PROOFS.of("telegram", MESSAGE.id))

    changed = data[:place] + letter + data[place + 1 :]

    # the last letter of each half carries spare bits: another spelling of the same bytes is the same
    assert answered(changed, PROOFS, "telegram") in {"", MESSAGE.id}
    if place not in (22, 44) and changed != data:
        assert answered(changed, PROOFS, "telegram") == ""


@given(st.text(max_size=64))
def test_what_is_no_button_of_ours_answers_nothing(data: str) -> None:
    assert answered(data, PROOFS, "telegram") == ""
    assert answered("h" + data, PROOFS, "telegram") == ""
    assert answered("r" + data, PROOFS, "telegram") == ""


def test_a_button_of_another_bell_answers_nothing() -> None:
    data = button_data(MESSAGE.id, HashedProofs("another").of("telegram", MESSAGE.id))

    assert answered(data, PROOFS, "telegram") == ""


def test_an_urgent_message_sounds_and_is_kept_from_being_passed_on() -> None:
    urgent = sending(MESSAGE, CHAT, proof="0" * 32).fields
    calm = sending(msgspec.structs.replace(MESSAGE, urgent=False), CHAT, proof="0" * 32).fields

    assert urgent["text"] == "Ana is VERY LOW: 52\n\nCheck Ana now."
    assert (urgent["disable_notification"], calm["disable_notification"]) == (False, True)
    assert urgent["protect_content"] is True
    assert urgent["link_preview_options"] == {"is_disabled": True}


@pytest.mark.parametrize("fields", [{}, {"alarm": ALARM, "kind": "recovered"}])
def test_what_asks_for_nobody_has_no_button(fields: dict[str, str | int | bool]) -> None:
    told = msgspec.structs.replace(MESSAGE, fields=fields)

    assert "reply_markup" not in sending(told, CHAT, proof="0" * 32).fields


@pytest.mark.parametrize("sign", ["x", "🛏", "ü"])
def test_a_long_text_fits_as_telegram_counts(sign: str) -> None:
    text = sending(msgspec.structs.replace(MESSAGE, text=sign * 4_000), CHAT, proof="0" * 32).fields["text"]

    assert isinstance(text, str)
    assert units(text) <= 4_096
    assert text.startswith(MESSAGE.subject)


@pytest.mark.parametrize(
    ("text", "good"),
    [("987654321", True), ("-1001234567890", True), ("", False), ("0", False), ("-0", False), ("01", False),
     ("+1", False), ("1" * 17, False), ("@ben", False), ("1\n", False), ("²", False), ("1 2", False)],
)  # fmt: skip
def test_what_is_an_address(text: str, good: bool) -> None:  # noqa: FBT001 a table's column
    assert is_address(text) is good


def said(status: int, description: str, **parameters: int) -> HttpAnswer:
    return HttpAnswer(status, {}, no(status, description, **parameters).body)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (HttpAnswer(200, {}, b'{"ok":true,"result":{"message_id":41}}'), Sent("41")),
        (HttpAnswer(200, {}, b'{"ok":true,"result":true}'), Sent("")),
        (said(403, "Forbidden: bot was blocked by the user"), "lost"),
        (said(403, "Forbidden: user is deactivated"), "lost"),
        (said(400, "Bad Request: chat not found"), "lost"),
        (
            said(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100),
            "lost",
        ),
        (said(400, "Bad Request: message text is empty"), "refused"),
        (said(400, "Bad Request: message is not modified"), Sent("")),
        (said(400, "Bad Request: message to edit not found"), Sent("")),
        (said(401, "Unauthorized"), "telegram.token"),
        (said(404, "Not Found"), "telegram.token"),
        (said(409, "Conflict"), "409"),
        (said(502, "Forbidden: bot was blocked by the user"), "502"),
        (HttpAnswer(403, {}, b"<html>a gateway</html>"), "403"),
        (HttpAnswer(302, {}, b""), "302"),
    ],
)
def test_what_an_answer_means(answer: HttpAnswer, outcome: Sent | str) -> None:
    meant = outcome_of(answer)

    match outcome:
        case Sent():
            assert meant == outcome
        case "lost" | "refused":
            assert isinstance(meant, Refused)
            assert meant.lost is (outcome == "lost")
        case words:
            assert isinstance(meant, Unavailable), "nothing here is about the person"
            assert words in meant.reason


@pytest.mark.parametrize(("retry_after_s", "wait_ms"), [(7, 7_000), (10**9, 3_600_000), (-5, 0)])
def test_telegrams_wish_for_patience_is_heard_within_reason(retry_after_s: int, wait_ms: int) -> None:
    meant = outcome_of(said(429, "Too Many Requests", retry_after=retry_after_s))

    assert isinstance(meant, Unavailable)
    assert meant.retry_after_ms == wait_ms


def update(**content: object) -> Update:
    return msgspec.convert({"update_id": 7, **content}, type=Update)


def press(data: str, text: str = "Ana is VERY LOW: 52", name: str = "Ben") -> Update:
    message = {"chat_id": int(CHAT), "message_id": 41, "text": text}
    return update(callback_query=pressed(message, {"callback_data": data}, name))


@pytest.mark.parametrize(
    ("name", "shown"), [("Ben", "Ben"), ("", "Somebody"), ("\u202e\n", "Somebody"), ("B" * 64, "B" * 40)]
)
def test_the_message_then_says_who_has_it(name: str, shown: str) -> None:
    data = button_data(MESSAGE.id, PROOFS.of("telegram", MESSAGE.id))

    meant = taken(press(data, name=name), PROOFS, "telegram")

    assert meant.news == (News(MESSAGE.id, NewsKind.ANSWERED),)
    edit, toast = meant.calls
    assert (edit.method, toast.method) == ("editMessageText", "answerCallbackQuery")
    text = edit.fields["text"]
    assert isinstance(text, str)
    assert text.startswith("Ana is VERY LOW: 52")
    assert shown.lower() in text.lower()
    assert "reply_markup" not in edit.fields, "the button goes"


def test_who_has_it_fits_below_the_longest_message() -> None:
    data = button_data(MESSAGE.id, PROOFS.of("telegram", MESSAGE.id))

    for sign in ("x", "🛏"):
        meant = taken(press(data, text=sign * (4_096 // units(sign)), name="🛏" * 60), PROOFS, "telegram")
        text = meant.calls[0].fields["text"]

        assert isinstance(text, str)
        assert units(text) <= 4_096


@pytest.mark.parametrize("data", ["o", "", "nonsense", "h" + "A" * 44])
def test_a_button_that_is_over_or_none_of_ours_says_so_and_answers_nothing(data: str) -> None:
    meant = taken(press(data), PROOFS, "telegram")

    assert meant.news == ()
    (toast,) = meant.calls
    assert toast.method == "answerCallbackQuery"
    assert toast.fields["text"]


@pytest.mark.parametrize(
    ("text", "kind", "code", "answers"),
    [
        ("/start abc-DEF_1", "private", "abc-DEF_1", True),
        ("/start@nightbell_bot abc", "private", "abc", True),
        ("/start", "private", None, True),
        ("/start abc", "group", None, False),
        ("/start " + "x" * 65, "private", None, False),
        ("/start a b", "private", None, False),
        ("hello", "private", None, False),
        ("", "private", None, False),
    ],
)
def test_a_chat_is_linked_by_the_code_it_was_opened_with(
    text: str,
    kind: str,
    code: str | None,
    answers: bool,  # noqa: FBT001 a table's column
) -> None:
    meant = taken(update(message=written(text, 555, kind)), PROOFS, "telegram")

    assert meant.linked == (None if code is None else Linked(code, "555"))
    assert bool(meant.calls) is answers
    assert meant.news == ()


def posted(channel: TelegramChannel, content: dict[str, Any]) -> Any:
    headers = {SECRET_HEADER: PROOFS.of("telegram", "webhook")}
    body = msgspec.json.encode({"update_id": 7, **content})
    return channel.heard(Callback(f"{PUBLIC_URL}/v1/channels/telegram", headers, body, NOW_MS))


@pytest.mark.network
@pytest.mark.enable_socket
async def test_where_telegram_posts_to_us_the_answer_itself_changes_the_message(
    server: TelegramServer,
) -> None:
    bot = Bot(server, public_url=PUBLIC_URL)
    message_id = await sent(bot)

    heard = posted(bot.channel, server.press(message_id))
    linked = posted(bot.channel, {"message": written("/start abc")})
    await bot.close()

    assert heard.news == (News(MESSAGE.id, NewsKind.ANSWERED),)
    said_back = json.loads(heard.body)
    assert said_back["method"] == "editMessageText"
    assert said_back["message_id"] == message_id
    assert bot.links == [Linked("abc", "555")]
    assert json.loads(linked.body)["method"] == "sendMessage"


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_house_that_nobody_can_reach_hears_a_pressed_button(server: TelegramServer) -> None:
    bot = Bot(server)
    bot.listen()
    message_id = await sent(bot)

    server.press(message_id)
    await until(lambda: server.called("answerCallbackQuery"))
    await bot.close()

    assert bot.news == [News(MESSAGE.id, NewsKind.ANSWERED)]
    assert server.messages[message_id]["text"].endswith('Ben said "I\'ve got it".')
    assert server.messages[message_id]["reply_markup"] == {"inline_keyboard": []}


@pytest.mark.network
@pytest.mark.enable_socket
async def test_what_was_heard_is_not_heard_again_and_nothing_is_left_out(server: TelegramServer) -> None:
    bot = Bot(server)
    for number in range(7):
        server.say(message=written(f"/start code{number}"))
    server.say(poll={"id": "1"})
    server.say(message={"text": "of a form that we can not read"})
    server.say(message=written("/start last"))

    bot.listen()
    await until(lambda: len(bot.links) == 8 and not server.updates)
    await bot.close()

    assert [link.code for link in bot.links] == [*(f"code{number}" for number in range(7)), "last"]


@pytest.mark.network
@pytest.mark.enable_socket
async def test_an_update_too_long_to_be_read_does_not_deafen_us(server: TelegramServer) -> None:
    bot = Bot(server)
    server.say(message=written("/start before"))
    server.say(message={**written("long"), "quote": "x" * ANSWER_BYTES_MAX})
    server.say(message=written("/start after"))

    bot.listen()
    await until(lambda: len(bot.links) == 2)
    await bot.close()

    assert [link.code for link in bot.links] == ["before", "after"]


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize("fault", [Fault.MISTRUSTS_US, Fault.BREAKS_AT_ONCE, Fault.TAKES_AND_BREAKS])
async def test_listening_outlives_what_the_world_does_and_slows_down(
    server: TelegramServer, fault: Fault
) -> None:
    bot = Bot(server)
    server.fault = fault
    bot.listen()
    await until(lambda: server.connections)
    await asyncio.sleep(0.5)
    knocks = server.connections

    server.fault = Fault.NONE
    server.say(message=written("/start abc"))
    await until(lambda: bot.links)
    await bot.close()

    assert knocks <= 15, "20, 40, then 80 ms apart at least"


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_webhook_left_over_from_before_is_taken_away(server: TelegramServer) -> None:
    bot = Bot(server)
    server.webhook = {"url": "https://old.test"}

    bot.listen()
    server.say(message=written("/start abc"))
    await until(lambda: bot.links)
    await bot.close()

    assert server.webhook is None


@pytest.mark.network
@pytest.mark.enable_socket
async def test_where_it_may_post_to_us_telegram_is_told_where_and_with_which_secret(
    server: TelegramServer,
) -> None:
    bot = Bot(server, public_url=PUBLIC_URL, renew_ms=50)

    bot.listen()
    await until(lambda: len(server.called("setWebhook")) >= 2)
    await bot.close()

    assert server.webhook == {
        "url": f"{PUBLIC_URL}/v1/channels/telegram",
        "secret_token": PROOFS.of("telegram", "webhook"),
        "allowed_updates": ["message", "callback_query"],
    }
    assert server.polls == []


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize("public_url", [PUBLIC_URL, "http://bell.test"])
async def test_where_telegram_can_not_come_to_us_we_go_there(server: TelegramServer, public_url: str) -> None:
    bot = Bot(server, public_url=public_url)
    server.reaches_us = False

    bot.listen()
    server.say(message=written("/start abc"))
    await until(lambda: bot.links)
    await bot.close()

    assert len(server.called("setWebhook")) == (1 if public_url == PUBLIC_URL else 0)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_what_is_over_can_still_be_read_and_its_button_answers_nothing(server: TelegramServer) -> None:
    bot = Bot(server)
    bot.listen()
    message_id = await sent(bot)

    outcome = await bot.channel.retract(MESSAGE.id, str(message_id), CHAT)
    server.press(message_id)
    await until(lambda: server.called("answerCallbackQuery"))
    await bot.close()

    assert isinstance(outcome, Sent)
    assert server.messages[message_id]["text"] == "Ana is VERY LOW: 52\n\nCheck Ana now."
    assert bot.news == []
    assert server.called("answerCallbackQuery")[0]["text"] == "There is nothing to do here any more."


@pytest.mark.parametrize("provider_id", ["", "x", "²", "-1", "1/../2"])
async def test_what_telegram_never_named_is_not_taken_back(provider_id: str) -> None:
    http = HttpxOriginClient("http://127.0.0.1:9")
    channel = TelegramChannel(http, TelegramSettings(token=TOKEN), proofs=PROOFS, linked=lambda _: None)

    outcome = await channel.retract(MESSAGE.id, provider_id, CHAT)
    await http.close()

    assert isinstance(outcome, Refused)


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("fault", "public_url", "last_error", "words"),
    [
        (Fault.NONE, "", "", ""),
        (Fault.NONE, PUBLIC_URL, "", ""),
        (Fault.NONE, PUBLIC_URL, "Connection timed out", "public_url"),
        (Fault.NONE, "", "Connection timed out", ""),
        (Fault.MISTRUSTS_US, "", "", "telegram.token"),
    ],
)
async def test_the_doctor_learns_whether_the_bot_lives_and_is_heard_without_telling_anybody(
    server: TelegramServer, fault: Fault, public_url: str, last_error: str, words: str
) -> None:
    bot = Bot(server, public_url=public_url)
    server.fault, server.last_error = fault, last_error
    server.say(message=written("waits"))

    said = await bot.channel.prove()
    await bot.close()

    assert (words in said) if words else (said == "")
    assert server.messages == {}
    assert TOKEN not in said


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(TelegramSettings(token=TOKEN))

"""What every channel promises that hears from its provider: nothing forged counts, nothing comes too late."""

import asyncio
import importlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightbell.tell.callback import BODY_BYTES_MAX, Callback, CallbackAnswer, News, NewsKind
from nightbell.tell.outcome import REASON_LENGTH_MAX, Sent, Unavailable
from tests.contracts.callback_case import AskCase, CallbackCase, RetractCase
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

WEEK_MS: Final = 7 * 24 * 3_600_000
ANSWERS: Final = frozenset({NewsKind.SEEN, NewsKind.ANSWERED, NewsKind.PASSED_ON})
"""What only a person can do."""

PATIENCE_S: Final = 20
"""How long a test waits for what has to end within a fraction of a second; a slow machine is no failure."""


def collected(kind: str) -> dict[str, Callable[[], Any]]:
    """The cases of that kind from all files beside this one."""
    found: dict[str, Callable[[], Any]] = {}
    for path in sorted(Path(__file__).parent.glob("callbacks_*.py")):
        module = importlib.import_module(f"tests.contracts.{path.stem}")
        found |= getattr(module, kind, {})
    return found


CALLBACKS: Final[dict[str, Callable[[], CallbackCase]]] = collected("CALLBACKS")
ASKS: Final[dict[str, Callable[[], Awaitable[AskCase]]]] = collected("ASKS")
RETRACTS: Final[dict[str, Callable[[], Awaitable[RetractCase]]]] = collected("RETRACTS")

every_callback = pytest.mark.parametrize("name", sorted(CALLBACKS))


def kinds(answer: CallbackAnswer) -> tuple[NewsKind, ...]:
    return tuple(news.kind for news in answer.news)


def is_good(news: News, message: str) -> bool:
    """About this message, with a reason fit to be kept wherever something failed."""
    needs_reason = news.kind in (NewsKind.FAILED, NewsKind.LOST)
    fit = news.reason.isprintable() and len(news.reason) <= REASON_LENGTH_MAX
    return news.message == message and fit and (bool(news.reason) or not needs_reason)


@every_callback
def test_what_the_provider_posts_is_understood(name: str) -> None:
    case = CALLBACKS[name]()

    for genuine in case.genuine():
        answer = case.channel.heard(genuine.callback)

        assert 200 <= answer.status < 300
        assert kinds(answer) == genuine.kinds
        assert all(is_good(news, case.message) for news in answer.news)
    assert any(genuine.kinds for genuine in case.genuine())


@every_callback
def test_what_is_forged_is_turned_away_and_means_nothing(name: str) -> None:
    case = CALLBACKS[name]()

    answers = [case.channel.heard(forged) for forged in case.forged()]

    assert answers
    assert all(answer.status == 403 and answer.news == () for answer in answers)


@every_callback
def test_the_proof_of_one_message_is_none_for_another(name: str) -> None:
    case = CALLBACKS[name]()

    for callback, _ in case.genuine():
        turned = msgspec.structs.replace(
            callback,
            url=callback.url.replace(case.message, "e" * 32),
            body=callback.body.replace(case.message.encode(), b"e" * 32),
        )
        answer = case.channel.heard(turned)

        assert turned != callback, "the message's id stands in it"
        assert answer.status == 403 or answer.body, "turned away, or the person is told that it is too old"
        assert answer.news == ()


@every_callback
def test_what_comes_late_twice_or_out_of_order_says_the_same(name: str) -> None:
    case = CALLBACKS[name]()
    expected = {genuine.callback.url + str(genuine.callback.body): genuine for genuine in case.genuine()}

    for order in itertools.islice(itertools.permutations(case.genuine()), 50):
        for genuine in itertools.chain(order, order):
            late = msgspec.structs.replace(genuine.callback, now_ms=NOW_MS + WEEK_MS)
            answer = case.channel.heard(late)

            assert 200 <= answer.status < 300
            assert kinds(answer) == expected[late.url + str(late.body)].kinds


@every_callback
def test_a_parameter_that_was_added_changes_nothing(name: str) -> None:
    case = CALLBACKS[name]()

    for callback, wanted in case.genuine():
        more = case.with_more(callback)
        answer = case.channel.heard(more)

        assert more != callback
        assert 200 <= answer.status < 300
        assert kinds(answer) == wanted


@every_callback
def test_what_is_too_large_is_refused(name: str) -> None:
    case = CALLBACKS[name]()

    for callback, _ in case.genuine():
        large = msgspec.structs.replace(callback, body=callback.body + b"&x=" + b"y" * BODY_BYTES_MAX)
        answer = case.channel.heard(large)

        assert 400 <= answer.status < 500
        assert answer.news == ()


@every_callback
def test_what_looks_like_a_get_is_never_an_answer(name: str) -> None:
    case = CALLBACKS[name]()

    for callback, _ in case.genuine():
        headers = {k: v for k, v in callback.headers.items() if k not in ("content-type", "content-length")}
        for followed in (
            msgspec.structs.replace(callback, body=b""),
            msgspec.structs.replace(callback, body=b"", headers=headers),
            msgspec.structs.replace(callback, body=b"", headers={}),
        ):
            assert not ANSWERS & set(kinds(case.channel.heard(followed)))


@every_callback
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_whatever_is_posted_it_does_not_raise_and_without_proof_it_means_nothing(
    name: str, data: st.DataObject
) -> None:
    case = CALLBACKS[name]()
    genuine = data.draw(st.sampled_from([genuine.callback for genuine in case.genuine()]))
    parts = urlsplit(genuine.url)
    here = f"{parts.scheme}://{parts.netloc}{parts.path}"
    pairs = st.dictionaries(st.sampled_from(sorted(genuine.headers)), st.text(max_size=80))
    posted = Callback(
        url=data.draw(st.sampled_from([genuine.url, here]) | st.text(max_size=80).map(f"{here}?".__add__)),
        headers=data.draw(st.just(genuine.headers) | pairs),
        body=data.draw(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode())),
        now_ms=NOW_MS,
    )

    answer = case.channel.heard(posted)

    assert 200 <= answer.status < 500
    if posted.url != genuine.url:  # where the URL is the proof, whoever has it may say anything
        assert answer.news == ()


@pytest.fixture(params=sorted(ASKS))
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[AskCase]:
    case = await ASKS[request.param]()
    yield case
    await case.close()
    await case.stop()
    assert not case.wrong()


async def test_a_question_is_answered_with_what_the_provider_knows(ask: AskCase) -> None:
    news = await ask.channel.ask(ask.message, ask.provider_id)

    assert tuple(one.kind for one in news) == ask.kinds
    assert all(is_good(one, ask.message) for one in news)
    assert ask.channel.ask_every_ms >= 1_000


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.NONE, Fault.SLOW)])
async def test_a_question_that_fails_is_no_news(ask: AskCase, fault: Fault) -> None:
    if fault is Fault.GONE:
        await ask.stop()
    ask.fail(fault)

    async with asyncio.timeout(PATIENCE_S):
        news = await ask.channel.ask(ask.message, ask.provider_id)

    assert news == ()


@pytest.mark.parametrize("provider_id", ["", "x" * 3_000, "../../Accounts", "a\r\nb", "ünï?code=#"])
async def test_a_question_about_what_the_provider_never_named_is_not_asked(
    ask: AskCase, provider_id: str
) -> None:
    assert await ask.channel.ask(ask.message, provider_id) == ()


@pytest.fixture(params=sorted(RETRACTS))
async def retract(request: pytest.FixtureRequest) -> AsyncIterator[RetractCase]:
    case = await RETRACTS[request.param]()
    yield case
    await case.close()
    await case.stop()
    assert not case.wrong()


async def test_what_is_taken_back_falls_silent_and_twice_is_no_harm(retract: RetractCase) -> None:
    assert not retract.is_silent()

    first = await retract.channel.retract(retract.message, retract.provider_id, retract.address)
    silent = retract.is_silent()
    again = await retract.channel.retract(retract.message, retract.provider_id, retract.address)

    assert silent
    assert isinstance(first, Sent)
    assert isinstance(again, Sent)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.SLOW, Sent),
        (Fault.LATER, Unavailable),
        (Fault.MISTRUSTS_US, Unavailable),
        (Fault.HANGS_AT_ONCE, Unavailable),
        (Fault.HANGS_AT_THE_END, Unavailable),
        (Fault.DRIPS, Unavailable),
        (Fault.BREAKS_AT_ONCE, Unavailable),
        (Fault.TAKES_AND_BREAKS, Unavailable),
        (Fault.GONE, Unavailable),
    ],
)
async def test_taking_back_ends_in_the_right_word(retract: RetractCase, fault: Fault, kind: type) -> None:
    if fault is Fault.GONE:
        await retract.stop()
    retract.fail(fault)

    async with asyncio.timeout(PATIENCE_S):
        outcome = await retract.channel.retract(retract.message, retract.provider_id, retract.address)

    assert isinstance(outcome, kind), outcome

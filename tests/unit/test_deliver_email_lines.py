"""Lines to the mail server are used again while they are well, and nothing is lost or doubled by that."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.mark import mark_of
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from tests.simulators.faults import Fault
from tests.simulators.mail_server import MailServer
from tests.simulators.proofs import PROOFS

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

WHOLE_MS = 4_000


class Post:
    """A mail server and the channel to it."""

    def __init__(self, server: MailServer, **changes: object) -> None:
        self.server = server
        settings = EmailSettings(
            host="127.0.0.1",
            port=server.port,
            sender="bell@nightbell.test",
            safety=Safety.NONE,
            step_ms=WHOLE_MS // 2,
            whole_ms=WHOLE_MS,
            line_idle_ms_max=60_000,
        )
        self.channel = EmailChannel(msgspec.structs.replace(settings, **changes), proofs=PROOFS)

    async def send(self, number: int = 0, address: str = "ben@example.test") -> Outcome:
        message = Message(f"{number:032x}", "ben", "Ana is VERY LOW: 52", "Check Ana.", urgent=True)
        return await self.channel.send(message, address, idempotency_key=f"{message.id}.email")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    server = MailServer(reports=True)
    await server.start()
    yield server
    await server.stop()
    assert server.wrong == []


@pytest.fixture
async def post(server: MailServer) -> AsyncIterator[Post]:
    post = Post(server)
    yield post
    await post.channel.close()


async def test_letters_one_after_the_other_share_a_line(post: Post) -> None:
    for number in range(5):
        assert isinstance(await post.send(number), Sent)

    assert post.server.connections == 1
    assert len({letter.id for letter in post.server.letters}) == 5
    assert [letter.receivers for letter in post.server.letters] == [["ben@example.test"]] * 5


async def test_letters_at_the_same_time_have_lines_of_their_own_and_no_more_than_allowed(
    server: MailServer,
) -> None:
    server.fault = Fault.SLOW
    post = Post(server, letters_at_once=3)

    outcomes = await asyncio.gather(*(post.send(number) for number in range(12)))
    await post.channel.close()

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert server.connections <= 3
    assert len({letter.id for letter in server.letters}) == 12


async def test_a_no_about_one_receiver_does_not_cost_the_line_nor_the_next_letter(post: Post) -> None:
    post.server.fault = Fault.NO
    refused = await post.send(1)
    post.server.fault = Fault.NONE
    taken = await post.send(2, "cleo@example.test")

    assert isinstance(refused, Refused)
    assert isinstance(taken, Sent)
    assert [letter.receivers for letter in post.server.letters] == [["cleo@example.test"]]
    assert post.server.connections == 1


@pytest.mark.parametrize("fault", [Fault.HANGS_AT_ONCE, Fault.BREAKS_AT_ONCE])
async def test_a_line_that_died_while_idle_costs_nothing_but_a_new_one(post: Post, fault: Fault) -> None:
    await post.send(1)
    post.server.fault, post.server.once = fault, True

    outcome = await post.send(2)

    assert isinstance(outcome, Sent)
    assert post.server.connections == 2
    assert len(post.server.letters) == 2


@pytest.mark.parametrize("fault", [Fault.HANGS_AT_ONCE, Fault.HANGS_AT_THE_END, Fault.DRIPS])
async def test_a_server_that_goes_deaf_on_open_lines_costs_no_thread(
    server: MailServer, fault: Fault
) -> None:
    post = Post(server, letters_at_once=2, step_ms=300, whole_ms=300)
    assert all(isinstance(one, Sent) for one in await asyncio.gather(post.send(1), post.send(2)))
    server.fault = fault
    async with asyncio.timeout(60):
        stuck = [await post.send(10 + number) for number in range(4)]
    server.fault = Fault.NONE

    async with asyncio.timeout(60):
        while not isinstance(await post.send(99), Sent):  # the machine may be slow; the threads are there
            await asyncio.sleep(0.01)
    await post.channel.close()

    assert all(isinstance(outcome, Unavailable) for outcome in stuck)


async def test_after_so_many_letters_a_line_ends_with_a_goodbye(server: MailServer) -> None:
    post = Post(server, letters_per_line_max=3)

    for number in range(7):
        assert isinstance(await post.send(number), Sent)
    await post.channel.close()

    assert server.connections == 3
    while server.goodbyes < 3:
        await asyncio.sleep(0.001)


async def test_a_server_that_ends_lines_of_too_many_letters_gets_them_on_a_new_one() -> None:
    server = MailServer(letters_max=2)
    await server.start()
    post = Post(server)

    outcomes = [await post.send(number) for number in range(6)]
    await post.channel.close()
    await server.stop()

    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert len(server.letters) == 6
    assert server.connections == 3


async def test_a_line_without_a_letter_ends_by_itself(server: MailServer) -> None:
    post = Post(server, line_idle_ms_max=1)

    await post.send()
    async with asyncio.timeout(60):
        while not server.goodbyes:
            await asyncio.sleep(0.001)
    await post.channel.close()

    assert server.goodbyes == 1


async def test_closing_while_a_letter_is_under_way_leaves_no_line_open(server: MailServer) -> None:
    server.fault = Fault.SLOW
    post = Post(server)
    sending = asyncio.create_task(post.send())
    while not server.connections:
        await asyncio.sleep(0.001)

    await post.channel.close()

    assert isinstance(await sending, Sent)
    async with asyncio.timeout(60):
        while not server.goodbyes:
            await asyncio.sleep(0.001)


async def test_reports_are_asked_for_where_they_are_offered(post: Post) -> None:
    await post.send(7)

    (letter,) = post.server.letters
    mark = mark_of(f"{7:032x}", PROOFS)
    assert letter.asked == {"RET": "HDRS", "ENVID": mark, "NOTIFY": "FAILURE,DELAY"}
    assert letter.id == f"<{mark}.email@nightbell.test>"


async def test_nothing_is_asked_for_where_nothing_is_offered() -> None:
    server = MailServer(reports=False)
    await server.start()
    post = Post(server)

    outcome = await post.send()
    await post.channel.close()
    await server.stop()

    assert isinstance(outcome, Sent)
    assert server.letters[0].asked == {}
    assert server.wrong == []


@pytest.mark.parametrize(
    ("no", "lost"),
    [
        ("550 5.1.1", True),
        ("550 5.1.10", True),
        ("550 5.1.2", True),
        ("553 5.1.3", True),
        ("551 5.1.6", True),
        ("550 5.2.1", True),
        ("550-5.1.1 The account does not exist.\r\n550 5.1.1 Look for typing errors:", True),
        ("550", False),
        ("550 mailbox 5.1.1.2.3 unknown", False),
        ("552 5.2.2", False),
        ("550 5.7.1", False),
        ("550 5.7.26 5.1.1", False),
        ("554 5.4.4", False),
    ],
)
async def test_only_a_dead_mailbox_is_lost(post: Post, no: str, lost: bool) -> None:  # noqa: FBT001 a column
    post.server.fault = Fault.NO
    post.server.no = no

    outcome = await post.send()

    assert isinstance(outcome, Refused)
    assert outcome.lost is lost
    assert "ben" not in outcome.reason


async def test_what_is_no_address_is_lost_without_asking_anybody(post: Post) -> None:
    outcome = await post.send(address="nonsense")

    assert isinstance(outcome, Refused)
    assert outcome.lost
    assert post.server.connections == 0


async def test_a_no_to_the_letter_itself_is_not_a_dead_mailbox(post: Post) -> None:
    post.server.fault = Fault.NO_AT_THE_END

    outcome = await post.send()

    assert isinstance(outcome, Refused)
    assert not outcome.lost


async def test_proving_signs_in_and_sends_nothing() -> None:
    server = MailServer(password="open sesame")
    await server.start()
    good = Post(server, user="bell", password="open sesame")
    wrong = Post(server, user="bell", password="wrong")

    fine, said = await good.channel.prove(), await wrong.channel.prove()
    for post in (good, wrong):
        await post.channel.close()
    await server.stop()

    assert fine == ""
    assert "sign in" in said
    assert "[smtp]" in said
    assert server.letters == []
    assert server.wrong == []


@pytest.mark.parametrize("fault", [Fault.GONE, Fault.HANGS_AT_ONCE, Fault.DRIPS, Fault.BREAKS_AT_ONCE])
async def test_proving_ends_with_a_sentence_whatever_the_server_does(
    server: MailServer, fault: Fault
) -> None:
    post = Post(server, step_ms=200, whole_ms=400)
    server.fault = fault
    if fault is Fault.GONE:
        await server.stop()

    said = await post.channel.prove()
    await post.channel.close()

    assert said.endswith("Look at [smtp] in the settings.")

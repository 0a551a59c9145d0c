"""Letters that come back: a dead address becomes known, a forged bounce kills none, and no mail harms."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Self

import msgspec
import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from nightbell.adapters.channels.email.bounce import BOUNCE_BYTES_MAX, bounce_in
from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.letter import message_id
from nightbell.adapters.channels.email.mark import mark_of
from nightbell.adapters.channels.email.settings import BouncesSettings, EmailSettings, Safety
from nightbell.tell.callback import News, NewsKind
from tests.simulators.bounced import bounce
from tests.simulators.imap_server import ImapServer, Trouble
from tests.simulators.proofs import PROOFS, HashedProofs

NOTIFICATION: Final = "3f" * 16
MARK: Final = mark_of(NOTIFICATION, PROOFS)
MESSAGE_ID: Final = message_id(f"{NOTIFICATION}.email", "bell@nightbell.test", MARK)
FORGED: Final = mark_of(NOTIFICATION, HashedProofs("somebody else's"))

PATIENCE_S: Final = 60


def kind_of(raw: bytes) -> NewsKind | None:
    news = bounce_in(raw, PROOFS)
    assert news is None or news.message == NOTIFICATION
    return None if news is None else news.kind


@pytest.mark.parametrize(
    "raw",
    [
        bounce(MESSAGE_ID),
        bounce(MESSAGE_ID, returned_type="text/rfc822-headers"),
        bounce(MESSAGE_ID, returned_type="message/rfc822-headers"),
        bounce(envid=MARK),
        bounce("<of-somebody-else@example.test>", envid=MARK),
        bounce(MESSAGE_ID, worldly=True, returned_type="message/global-headers"),
        bounce(envid=MARK, worldly=True),
        bounce(MESSAGE_ID).replace(b"\r\n", b"\n"),
        bounce(MESSAGE_ID, action="FAILED; for good"),
    ],
    ids=["whole", "headers", "odd", "envelope", "both", "worldly", "worldly envelope", "lines", "capitals"],
)
def test_a_letter_to_a_mailbox_that_is_gone_makes_the_address_lost(raw: bytes) -> None:
    assert kind_of(raw) is (None if b"message/rfc822-headers" in raw else NewsKind.LOST)


@pytest.mark.parametrize(
    ("status", "diagnostic", "kind"),
    [
        ("5.1.10", "550 5.1.10 null MX", NewsKind.LOST),
        ("5.2.1", "550 5.2.1 switched off", NewsKind.LOST),
        ("5.0.0", "550 5.1.1 no such user", NewsKind.LOST),
        ("5.0.0", "550 go away", NewsKind.FAILED),
        ("5.2.2", "552 5.2.2 mailbox full", NewsKind.FAILED),
        ("5.7.1", "554 5.7.1 spam; see 5.1.1", NewsKind.FAILED),
        ("4.4.7", "4.4.7 expired", NewsKind.FAILED),
        ("nonsense", "nonsense", NewsKind.FAILED),
    ],
)
def test_a_letter_that_came_back_for_another_reason_leaves_the_address_alone(
    status: str, diagnostic: str, kind: NewsKind
) -> None:
    assert kind_of(bounce(MESSAGE_ID, status=status, diagnostic=diagnostic)) is kind


def test_a_letter_that_is_stuck_has_not_arrived() -> None:
    assert kind_of(bounce(MESSAGE_ID, action="delayed", status="4.4.1")) is NewsKind.FAILED


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", ""])
def test_any_other_report_says_nothing(action: str) -> None:
    assert kind_of(bounce(MESSAGE_ID, action=action, status="2.0.0")) is None


@pytest.mark.parametrize(
    "raw",
    [
        bounce(message_id(f"{NOTIFICATION}.email", "bell@nightbell.test", FORGED)),
        bounce(envid=FORGED),
        bounce(f"<{NOTIFICATION}.email@nightbell.test>"),
        bounce(envid=MARK[:-1]),
        bounce(envid=MARK + "0"),
        bounce(envid="x" + MARK),
        bounce(envid=mark_of("4f" * 16, PROOFS).replace("4f" * 16, NOTIFICATION)),
        bounce("<of-somebody-else@example.test>"),
        bounce(),
    ],
)
def test_a_bounce_without_our_proof_means_nothing(raw: bytes) -> None:
    assert bounce_in(raw, PROOFS) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Subject: hello\r\n\r\nHow are you? Status: 5.1.1 Action: failed " + MARK.encode(),
        bounce(MESSAGE_ID).replace(b"multipart/report", b"multipart/mixed"),
        bounce(MESSAGE_ID).replace(b"report-type=delivery-status", b"report-type=disposition-notification"),
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\n"
        + bounce(MESSAGE_ID)
        + b"\r\n--a--\r\n",
    ],
    ids=["nothing", "a letter", "not a report", "another report", "forwarded"],
)
def test_what_is_no_bounce_says_nothing(raw: bytes) -> None:
    assert bounce_in(raw, PROOFS) is None


def test_a_reason_says_no_names_and_no_addresses() -> None:
    news = bounce_in(bounce(MESSAGE_ID), PROOFS)

    assert news is not None
    assert "5.1.1" in news.reason
    assert "ben" not in news.reason
    assert "example" not in news.reason


pieces = st.sampled_from(
    [
        b"\r\n",
        b"\r\n\r\n",
        b"--3F9A.1795312805/mail.test\r\n",
        b"--3F9A.1795312805/mail.test--\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: message/delivery-status\r\n\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: text/plain; charset=utf-7000\r\n",
        b"Content-Type: multipart/report; report-type*0*=x'y'%ff; boundary*=utf-9''%00\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 666 x\r\n",
        b"Status: =?utf-7000?q?5=2E1=2E1?=\r\n",
        b"Action: failed\xff\xfe\r\n",
        b"Message-ID: " + b"<" * 500 + b"\r\n",
        b"Original-Envelope-Id: " + MARK.encode() + b"\r\n",
        b"A" * 5_000,
    ]
)


@given(st.lists(pieces | st.binary(max_size=60), max_size=60), st.integers(0, 2_000), st.booleans())
@example([b"Content-Type: message/rfc822\r\n\r\n"] * 3_000, 600, True)
@example([b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"] * 3_000, 600, True)
@example([b"A: b\r\n"] * 20_000, 600, False)
def test_no_mail_does_harm(put_in: list[bytes], at: int, keep: bool) -> None:  # noqa: FBT001 drawn
    real = bounce(MESSAGE_ID)

    news = bounce_in(real[:at] + b"".join(put_in) + (real[at:] if keep else b""), PROOFS)

    assert news is None or news.message == NOTIFICATION


def test_letters_within_letters_without_end_say_nothing() -> None:
    within = b"Content-Type: message/rfc822\r\n\r\n"

    assert bounce_in(bounce(MESSAGE_ID).replace(within, within * 1_900), PROOFS) is None


def test_of_a_huge_letter_only_the_beginning_is_read() -> None:
    huge = bounce(MESSAGE_ID).replace(b"I'm sorry", b"sorry " * (BOUNCE_BYTES_MAX // 6))

    assert bounce_in(huge, PROOFS) is None


@pytest.fixture
async def box() -> AsyncIterator[ImapServer]:
    box = ImapServer(folder='Our "bounces"')
    await box.start()
    yield box
    await box.stop()
    assert box.wrong == []


class Listening:
    """A channel that listens to a mailbox."""

    def __init__(self, box: ImapServer, **changes: object) -> None:
        settings = BouncesSettings(
            host="localhost",
            port=box.port,
            user=box.user,
            password=box.password,
            folder=box.folder,
            tls=False,
            every_ms=10,
            step_ms=2_000,
            whole_ms=4_000,
        )
        self.heard: list[News] = []
        self._box = box
        self.channel = EmailChannel(
            EmailSettings(host="localhost", sender="bell@nightbell.test", safety=Safety.NONE),
            proofs=PROOFS,
            bounces=msgspec.structs.replace(settings, **changes),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.channel.listen(self.heard.append))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.channel.close()

    async def looks(self, more: int) -> None:
        """Wait until it has looked so many times more."""
        upto = self._box.looks + more
        async with asyncio.timeout(PATIENCE_S):
            while self._box.looks < upto:
                await asyncio.sleep(0.005)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_bounce_in_the_mailbox_is_told_once_and_marked_as_seen(box: ImapServer) -> None:
    kept = box.arrive(bounce(MESSAGE_ID))

    async with Listening(box) as listening:
        await listening.looks(4)

    assert [news.kind for news in listening.heard] == [NewsKind.LOST]
    assert kept.seen
    assert kept.fetched == 1


@pytest.mark.network
@pytest.mark.enable_socket
async def test_what_is_no_bounce_of_ours_is_left_alone_and_read_once(box: ImapServer) -> None:
    others = [
        box.arrive(b"Subject: Hello\r\n\r\nHow is Ana?\r\n"),
        box.arrive(bounce(envid=FORGED)),
        box.arrive(b"\xff" * 300_000),
    ]

    async with Listening(box) as listening:
        await listening.looks(4)

    assert listening.heard == []
    assert not any(other.seen for other in others)
    assert {other.fetched for other in others} == {1}


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_full_mailbox_is_read_in_parts_and_the_newest_first(box: ImapServer) -> None:
    for _ in range(30):
        box.arrive(b"Subject: Hello\r\n\r\nHow is Ana?\r\n")
    newest = box.arrive(bounce(MESSAGE_ID))

    async with Listening(box, letters_max=10) as listening:
        await listening.looks(2)
        in_time = newest.fetched
        await listening.looks(4)

    assert in_time == 1
    assert all(letter.fetched == 1 for letter in box.letters)


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_mailbox_made_anew_is_read_anew(box: ImapServer) -> None:
    box.arrive(b"Subject: Hello\r\n\r\nHow is Ana?\r\n")
    async with Listening(box) as listening:
        await listening.looks(2)
        box.letters.clear()
        box.validity += 1
        box.arrive(bounce(MESSAGE_ID))
        await listening.looks(4)

    assert [news.kind for news in listening.heard] == [NewsKind.LOST]


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble is not Trouble.NONE])
async def test_a_mailbox_in_trouble_is_tried_again_and_costs_no_thread(
    box: ImapServer, trouble: Trouble
) -> None:
    kept = box.arrive(bounce(MESSAGE_ID))
    box.trouble = trouble

    async with Listening(box, step_ms=200, whole_ms=400) as listening:
        await asyncio.sleep(0.6)
        during = list(listening.heard)
        box.trouble = Trouble.NONE
        async with asyncio.timeout(PATIENCE_S):
            while not kept.seen:
                await asyncio.sleep(0.01)

    assert during == []
    assert {news.kind for news in listening.heard} == {NewsKind.LOST}


@pytest.mark.network
@pytest.mark.enable_socket
async def test_a_safe_line_is_made_and_a_stranger_gets_no_password(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    box = ImapServer(tls=context)
    await box.start()

    known, stranger = Listening(box, tls=True, ca_file=str(ca_file)), Listening(box, tls=True)
    said = [await one.channel._bounces.prove() for one in (known, stranger) if one.channel._bounces]
    for one in (known, stranger):
        await one.channel.close()
    await box.stop()

    assert said[0] == ""
    assert "certificate" in said[1]


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, ""),
        ({"password": "wrong"}, "password"),
        ({"folder": "Elsewhere"}, "folder"),
        ({"port": 1}, "reached"),
        ({"host": "no-such-host.invalid"}, "reached"),
    ],
)
async def test_proving_opens_the_folder_and_says_what_to_do(
    box: ImapServer, change: dict[str, object], word: str
) -> None:
    kept = box.arrive(bounce(MESSAGE_ID))
    listening = Listening(box, **change)
    assert listening.channel._bounces is not None

    said = await listening.channel._bounces.prove()
    await listening.channel.close()

    assert word in said
    assert bool(said) is bool(change)
    assert not kept.fetched


async def test_without_a_mailbox_nothing_is_ever_heard() -> None:
    channel = EmailChannel(EmailSettings(host="localhost", sender="bell@nightbell.test"), proofs=PROOFS)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await channel.listen(lambda _: None)
    await channel.close()


def test_settings_do_not_show_their_password() -> None:
    assert "sesame" not in repr(BouncesSettings(host="h", user="bell", password="open sesame"))

"""The letter and its way: safe line, signing in, headers, and faults that are ours."""

import ssl
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import msgspec
import pytest
import trustme

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.letter import is_address
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.clock import to_ms
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.mail_server import MailServer

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

MESSAGE = Message(
    "n1", "ben", "Ana is VERY LOW: 52", "Check Ana now.\n.\n.. günstig", urgent=True, made_ms=NOW_MS
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def plain() -> AsyncIterator[MailServer]:
    server = MailServer()
    await server.start()
    yield server
    await server.stop()


async def sent(server: MailServer, address: str = "ben@example.test", **changes: object) -> Outcome:
    settings = EmailSettings(
        host="localhost",
        port=server.port,
        sender="bell@nightbell.test",
        safety=Safety.NONE,
        step_ms=2_000,
        whole_ms=4_000,
    )
    channel = EmailChannel(msgspec.structs.replace(settings, **changes))
    outcome = await channel.send(MESSAGE, address, idempotency_key="key-1")
    await channel.close()
    return outcome


async def test_the_letter_says_what_the_message_says(plain: MailServer) -> None:
    outcome = await sent(plain)

    (letter,) = plain.letters
    assert outcome == Sent("250 2.0.0 queued as Q1")
    assert letter.receivers == ["ben@example.test"]
    assert letter.mail["Subject"] == MESSAGE.subject
    assert letter.mail["From"] == "Nightbell <bell@nightbell.test>"
    assert letter.mail["Auto-Submitted"] == "auto-generated"
    assert letter.id == "<key-1@nightbell.test>"
    assert to_ms(parsedate_to_datetime(letter.mail["Date"])) == NOW_MS
    assert letter.mail.get_content().splitlines() == MESSAGE.text.split("\n")
    assert plain.wrong == []


async def test_a_safe_line_is_begun_before_anything_is_said(server_tls: ssl.SSLContext, ca_file: str) -> None:
    server = MailServer(tls=server_tls, password="open sesame")
    await server.start()

    outcome = await sent(server, safety=Safety.STARTTLS, ca_file=ca_file, user="bell", password="open sesame")
    await server.stop()

    assert isinstance(outcome, Sent)
    assert server.letters[0].safe
    assert server.letters[0].signed_in == "bell"


async def test_a_line_that_is_safe_from_the_first_byte(server_tls: ssl.SSLContext, ca_file: str) -> None:
    server = MailServer(tls=server_tls, implicit=True)
    await server.start()

    outcome = await sent(server, safety=Safety.TLS, ca_file=ca_file)
    await server.stop()

    assert isinstance(outcome, Sent)
    assert server.letters[0].safe


@pytest.mark.parametrize("safety", [Safety.STARTTLS, Safety.TLS])
async def test_a_server_we_do_not_trust_gets_nothing(server_tls: ssl.SSLContext, safety: Safety) -> None:
    server = MailServer(tls=server_tls, implicit=safety is Safety.TLS)
    await server.start()

    outcome = await sent(server, safety=safety)
    await server.stop()

    assert isinstance(outcome, Unavailable)
    assert "certificate" in outcome.reason
    assert server.letters == []


async def test_a_certificate_for_another_name_gets_nothing(server_tls: ssl.SSLContext, ca_file: str) -> None:
    server = MailServer(tls=server_tls)
    await server.start()

    outcome = await sent(server, safety=Safety.STARTTLS, ca_file=ca_file, host="127.0.0.1")
    await server.stop()

    assert isinstance(outcome, Unavailable)
    assert server.letters == []


async def test_without_a_safe_line_nothing_is_sent_where_one_is_wanted(plain: MailServer) -> None:
    outcome = await sent(plain, safety=Safety.STARTTLS)

    assert isinstance(outcome, Unavailable)
    assert plain.letters == []


@pytest.mark.parametrize("user", ["", "bell"])
async def test_not_being_let_in_is_our_fault_not_the_addresss(user: str) -> None:
    server = MailServer(password="open sesame")
    await server.start()

    outcome = await sent(server, user=user, password="wrong")
    await server.stop()

    assert isinstance(outcome, Unavailable)
    assert server.letters == []


async def test_only_an_address_that_is_dead_is_called_lost(plain: MailServer) -> None:
    plain.fault = Fault.NO
    nobody_there = await sent(plain)
    plain.fault = Fault.NO_AT_THE_END
    about_the_letter = await sent(plain)
    no_address = await sent(plain, "no address")

    lost = [isinstance(one, Refused) and one.lost for one in (nobody_there, about_the_letter, no_address)]
    assert lost == [True, False, True]
    assert isinstance(about_the_letter, Refused)


async def test_an_address_beyond_ascii_needs_a_server_that_can_write_it(plain: MailServer) -> None:
    able = await sent(plain, "bén@example.test")
    old = MailServer(utf8=False)
    await old.start()
    unable = await sent(old, "bén@example.test")
    await old.stop()

    assert isinstance(able, Sent)
    assert isinstance(unable, Refused)


@pytest.mark.parametrize(
    ("address", "can_be"),
    [
        ("ben@example.test", True),
        ("ben+bell@sub.example.test", True),
        ("o'ben@example.test", True),
        ("ben@", False),
        ("@example.test", False),
        ("ben@a@b", False),
        ("ben@example.test\r\n", False),
        ("<ben@example.test>", False),
        ("ben@example.test, dan@example.test", False),
        ("ben@" + "x" * 260, False),
    ],
)
def test_what_can_be_an_address(address: str, can_be: bool) -> None:  # noqa: FBT001 a table's column
    assert is_address(address) is can_be


def test_settings_do_not_show_their_password() -> None:
    settings = EmailSettings(host="h", sender="a@b", password="open sesame")

    assert "sesame" not in repr(settings)

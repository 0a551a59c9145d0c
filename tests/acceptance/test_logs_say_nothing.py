"""Goal: no log holds anybody's glucose, name, address or secret. Method: a debug-level life.

The real platform and the real watcher, with people, keys, grants, invitations, readings, alarms, answers,
wrong passwords, bad input, channels that fail, a crash and a start after it. Whatever the two processes
printed or wrote into a log is searched for everything that must not be there, in all its forms.
"""

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nightbell.app.control_words import (
    FollowAccept,
    FollowConfirm,
    FollowInvite,
    FollowRow,
    Invited,
    PersonAdd,
    PersonRow,
)
from nightbell.words.clock import SystemClock
from tests.acceptance.real_platform import RealPlatform
from tests.simulators.faults import Fault
from tests.simulators.hook_server import HookServer
from tests.simulators.mail_server import MailServer
from tests.simulators.secrets import forms, leaks

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket, pytest.mark.timeout(300)]

ANA, BEN, CLEO = "Ana Qvx73 Zebrüm", "Ben Wkj59", "Cleo Hfz28"
PASSWORDS = {ANA: "pass-ana-7Gq!x2Lm", BEN: "pass-ben-9Rt?k4Zw", CLEO: "pass-cleo-3Yh#p8Vd"}
EMAILS = {ANA: "mailbox.qv73@post.example.org", BEN: "letters.wk59@post.example.org", CLEO: ""}
SHARE_PASSWORD = "share-5Nb$z6Kj"
WRONG = "wrong-password-8Xc%m1Qs"
SMTP_PASSWORD = "smtp-2Wd&j9Fg"
HOOK_PATH = "hook-path-4Tz6Rv8Bn"
LOST_URL = "/never/here/token-6Lp2Xk9Ms"
BAD_BODY = "bad-body-1Jf7Qw3Hz"
LOW, HIGH, BACKFILLED, SHARED = 47, 389, 211, 173
"""Levels that stand for nothing else: no count of a short life is one of them."""

PATIENCE_S = 60.0


class Life:
    """What the two processes go through, and every secret on the way."""

    def __init__(self, platform: RealPlatform, mail: MailServer, hook: HookServer) -> None:
        self.platform = platform
        self.mail = mail
        self.hook = hook
        self.hook_url = f"http://127.0.0.1:{hook.port}/{HOOK_PATH}"
        self.secrets: set[str] = {
            ANA, "Qvx73", "Zebrüm", BEN, "Wkj59", CLEO, "Hfz28", *PASSWORDS.values(), "mailbox.qv73",
            "letters.wk59", SHARE_PASSWORD, WRONG, SMTP_PASSWORD, HOOK_PATH, "token-6Lp2Xk9Ms", BAD_BODY,
        }  # fmt: skip
        self.refused = 0

    async def people(self) -> None:
        """People, a Share login, keys, and an invitation that goes its way."""
        ask = self.platform.ask
        for name, password in PASSWORDS.items():
            ask("person.add", PersonAdd(name, password, email=EMAILS[name]), PersonRow)
        ask("person.add", PersonAdd(ANA, SHARE_PASSWORD, share=True), PersonRow)
        for follower in (BEN, CLEO):
            invited = ask("follow.invite", FollowInvite(ANA), Invited)
            self.secrets.add(invited.secret)
            row = ask("follow.accept", FollowAccept(invited.secret, follower), FollowRow)
            ask("follow.confirm", FollowConfirm(row.follow), FollowRow)
        self.publish_key = self.platform.add_key(ANA, "publish")
        self.follow_key = self.platform.add_key(BEN, "follow")
        self.secrets |= {self.publish_key, self.follow_key}

    async def sign_in(self) -> None:
        """Ben signs in, rightly and wrongly, by the API and by the page; invites and looks at invitations."""
        async with self.platform.client() as client:
            for name in (BEN, "Nobody Jyt44"):
                wrong = await client.post(
                    "/v1/sign-in", json={"name": name, "password": WRONG, "device": BEN}
                )
                self.refused += wrong.status_code >= 400
            await client.post("/sign-in", data={"name": BEN, "password": WRONG})
            right: dict[str, Any] = {}
            async with asyncio.timeout(PATIENCE_S):
                while "token" not in right:
                    answer = await client.post(
                        "/v1/sign-in", json={"name": BEN, "password": PASSWORDS[BEN], "device": "telephone"}
                    )
                    right = answer.json()
                    await asyncio.sleep(0.5)
        self.secrets |= {"Jyt44", right["token"]}
        self.token = right["token"]
        async with self.platform.client(self.token) as client:
            await client.put("/v1/me", json={"webhook": self.hook_url})
            await client.put("/v1/me", json={"webhook": f"ftp://{HOOK_PATH}"})
            await client.put("/v1/me", json={"email": f"{BAD_BODY}@"})

    async def publish(self) -> None:
        """A day late, one in time, one high, and an urgent low."""
        now_ms = SystemClock().now_ms()
        late = [
            {"measured_at": now_ms - 86_400_000 + i * 300_000, "glucose_mgdl": BACKFILLED} for i in range(3)
        ]
        ring = [
            {"measured_at": now_ms - 660_000, "glucose_mgdl": HIGH},
            {"measured_at": now_ms - 2_000, "glucose_mgdl": LOW},
        ]
        async with self.platform.client(self.publish_key) as client:
            for readings in (late, ring, ring):
                answer = await client.post("/v1/readings", json={"readings": readings})
                assert answer.status_code == 200, answer.text
            impossible = [{"measured_at": BAD_BODY, "glucose_mgdl": -HIGH}]
            await client.post("/v1/readings", json={"readings": impossible})

    async def share(self) -> None:
        """An old client, rightly and wrongly; its session stands in the address."""
        base = f"{self.platform.url}/ShareWebServices/Services/"
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
            who = {"accountName": ANA, "password": SHARE_PASSWORD, "applicationId": "app"}
            wrong = await client.post("General/AuthenticatePublisherAccount", json=who | {"password": WRONG})
            self.refused += wrong.status_code >= 400
            account = ""
            async with asyncio.timeout(PATIENCE_S):
                while len(account) != 36:
                    account = (await client.post("General/AuthenticatePublisherAccount", json=who)).json()
                    await asyncio.sleep(0.5)
            login = {"accountId": account, "password": SHARE_PASSWORD, "applicationId": "app"}
            session = (await client.post("General/LoginPublisherAccountById", json=login)).json()
            self.secrets.add(session)
            now_ms = SystemClock().now_ms() - 400_000
            egv = {"Trend": 4, "ST": f"/Date({now_ms})/", "DT": f"/Date({now_ms})/", "Value": SHARED}
            query = {"sessionId": session, "minutes": "1440", "maxCount": "10"}
            upload = {"SN": BAD_BODY, "Egvs": [egv], "TA": -5}
            await client.post("Publisher/PostReceiverEgvRecords", params=query, json=upload)
            await client.post("Publisher/PostReceiverEgvRecords", params=query, content=BAD_BODY)
            read = await client.post("Publisher/ReadPublisherLatestGlucoseValues", params=query)
            assert SHARED in [one["Value"] for one in read.json()]
            await client.post(f"Publisher/{BAD_BODY}", params=query)

    async def answer(self) -> None:
        """Ben hears it on his screen, takes it, takes it back, takes it again."""
        async with self.platform.client(self.token) as client:
            people = (await client.get("/v1/people")).json()
            alarm = ""
            async with client.stream("GET", "/v1/stream"), asyncio.timeout(PATIENCE_S):
                while not alarm:
                    tiles = (await client.get("/v1/people")).json()
                    alarm = next((found for found in _alarms(tiles)), "")
                    await asyncio.sleep(0.2)
            for verb in ("answer", "answer/undo", "answer"):
                await client.post(f"/v1/alarms/{alarm}/{verb}", json={})
            await client.get(f"/v1/alarms/{alarm}")
        assert people

    async def nonsense(self) -> None:
        """Bad input of all kinds, secrets where they do not belong."""
        async with self.platform.client(self.follow_key) as client:
            await client.get(LOST_URL)
            await client.get("/v1/me", params={"token": self.token, "password": PASSWORDS[BEN]})
            async with client.stream("GET", "/v1/stream", params={"access_token": self.token}) as stream:
                assert stream.status_code == 200
            await client.post("/v1/sign-in", content=f'{{"name": "{BAD_BODY}')
            await client.post("/v1/sign-in", json={"name": [ANA], "password": {"x": PASSWORDS[ANA]}})
            await client.post("/v1/invitations/accept", json={"secret": BAD_BODY})
            await client.post("/v1/readings", json=[[[BAD_BODY]]])
            await client.get("/v1/me", headers={"cookie": f"nightbell={self.token}; {BAD_BODY}"})
        port = int(self.platform.url.rpartition(":")[2])
        for raw in (
            f"GET /{BAD_BODY} HTTP/9.9\r\n\r\n",
            f"POST /v1/readings HTTP/1.1\r\nAuthorization: Bearer {self.publish_key}\r\nHost\r\n\r\n",
            f"{self.token}\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw.encode())
            await asyncio.wait_for(reader.read(), PATIENCE_S)
            writer.close()

    async def crash(self, folder: Path) -> None:
        """The platform is killed in the middle of an upload; the next one finds damage, and goes on."""
        async with self.platform.client(self.publish_key) as client:
            now_ms = SystemClock().now_ms()
            sending = asyncio.create_task(
                client.post("/v1/readings", json={"readings": [{"measured_at": now_ms, "glucose_mgdl": LOW}]})
            )
            await self.platform.kill()
            await asyncio.gather(sending, return_exceptions=True)
        (folder / "ledger.sqlite").write_bytes(f"{ANA} {LOW}".encode() * 100)
        for leftover in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
            (folder / leftover).unlink(missing_ok=True)
        (folder / "settings.toml").unlink(missing_ok=True)
        await self.platform.start()

    async def lost_folders(self, folder: Path) -> None:
        """Folders go while we run: what is written there fails, and is said."""
        for name in ("keys", "checkpoint"):
            if (folder / name).exists():
                (folder / name).rename(folder / f"{name}-gone")
            (folder / name).write_text(ANA)
        async with self.platform.client(self.token) as client:
            await client.put("/v1/me", json={"email": EMAILS[ANA]})
            await client.post("/v1/invitations", json={})
            await client.post("/v1/sign-out", json={})


def _alarms(tiles: Any) -> list[str]:
    """Ids of alarms wherever they stand in an answer."""
    if isinstance(tiles, dict):
        own = [tiles["id"]] if "family" in tiles and "id" in tiles else []
        return own + [one for value in tiles.values() for one in _alarms(value)]
    return [one for value in tiles for one in _alarms(value)] if isinstance(tiles, list) else []


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    mail, hook = MailServer(password=SMTP_PASSWORD), HookServer()
    await mail.start()
    await hook.start()
    platform = RealPlatform(
        tmp_path, "--watcher-listen", "127.0.0.1:0",
        NIGHTBELL_CANARY="true", NIGHTBELL_LOG_LEVEL="debug", NIGHTBELL_ALLOW_PRIVATE_WEBHOOKS="true",
        NIGHTBELL_SMTP__HOST="127.0.0.1", NIGHTBELL_SMTP__PORT=str(mail.port),
        NIGHTBELL_SMTP__STARTTLS="false",
        NIGHTBELL_SMTP__USER="bell", NIGHTBELL_SMTP__PASSWORD=SMTP_PASSWORD,
        NIGHTBELL_SMTP__SENDER="bell@post.example.org",
    )  # fmt: skip
    await platform.start()
    try:
        yield Life(platform, mail, hook)
    finally:
        await platform.kill(signal.SIGTERM)
        await mail.stop()
        await hook.stop()


async def test_two_processes_live_a_life_and_their_logs_hold_nothing_of_anybody(
    life: Life, tmp_path: Path
) -> None:
    life.mail.fault, life.hook.fault = Fault.LATER, Fault.LATER

    await life.people()
    await life.sign_in()
    await life.publish()
    await life.answer()
    await life.share()
    await life.nonsense()
    await life.crash(tmp_path)
    await life.publish()
    await life.lost_folders(tmp_path)
    await life.nonsense()
    async with asyncio.timeout(PATIENCE_S):
        while b"notification.unavailable" not in b"".join(life.platform.said):
            await asyncio.sleep(0.2)
    await life.platform.kill(signal.SIGTERM)

    pairing = json.loads((tmp_path / "watcher" / "pairing.json").read_text())
    life.secrets |= {
        pairing["roster_key"],
        pairing["follower_key"],
        *(one["key"] for one in pairing["canaries"]),
    }
    platform_said = b"".join(life.platform.said).decode()
    watcher_said = (tmp_path / "watcher" / "watcher.log").read_text()
    for said in (platform_said, watcher_said):
        assert not (found := leaks(said, life.secrets, (LOW, HIGH, BACKFILLED, SHARED))), "\n".join(
            found[:20]
        )
    assert life.refused == 3
    # The life was as full as it should be: both spoke at debug level, the crash and the faults were said.
    for event in (
        "door.opened",
        "ledger.set_aside",
        "notification.unavailable",
        "library.said",
        "checkpoint.not_kept",
    ):
        assert event in platform_said, event
    assert "library.said" in watcher_said
    assert log_files(tmp_path) == {"watcher.log"}
    assert_lines_are_json(platform_said)
    assert_lines_are_json(watcher_said)


def log_files(folder: Path) -> set[str]:
    """Everything that may be a log."""
    return {path.name for pattern in ("*.log*", "*.txt", "*.out", "*.err") for path in folder.rglob(pattern)}


def assert_lines_are_json(said: str) -> None:
    """Lines of the log are JSON; sentences for whoever started us are not, and there are two of them."""
    lines = said.splitlines()
    plain = [line for line in lines if not line.startswith("{")]
    assert len(plain) < 8, plain
    for line in lines:
        if line.startswith("{"):
            assert {"event", "level", "timestamp"} <= set(json.loads(line)), line
            assert len(line) <= 8_000


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "x", "who": "ben wkj59"}',
        '{"event": "x", "who": "Ana Qvx73 Zebr\\u00fcm"}',
        f'{{"where": "/{"pass%2Dben%2D9Rt%3Fk4Zw"}"}}'.replace("%2D", "-"),
        base64.b64encode(b"user:pass-ben-9Rt?k4Zw").decode(),
        base64.b64encode(b"ur:pass-ben-9Rt?k4Zw and more").decode(),
        "9Rt?k4Zw pass-ben-9Rt?k4Zw",
        f"hash {list(forms('Wkj59'))[10]}",
        '{"glucose_mgdl": 47}',
        "value=47",
        "Level of the newest reading: 389",
        '{"reading": {"measured": 1, "glucose": 10.0, "sgv": 173}}',
        "glucose 2.6 mmol/L",
    ],
)
def test_the_search_finds_what_is_planted(line: str) -> None:
    secrets = [BEN, "Wkj59", ANA, PASSWORDS[BEN]]

    assert leaks(line, secrets, (47, 389, 173))
    assert not leaks(
        '{"event": "group.set_aside", "seq": 4711, "level": "info", "port": 47389}', secrets, (47,)
    )

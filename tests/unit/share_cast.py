"""The Share service without a server, its one account, and a client of it."""

import asyncio
import json
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nightbell.account.identity import Identity
from nightbell.account.share import ShareCredential
from nightbell.adapters.dialects.share.dialect import ShareDialect
from nightbell.adapters.dialects.share.ports import SharePage
from nightbell.adapters.stores.memory.reading_log import MemoryLog
from nightbell.publish.clock import ClockChange
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.service import Publish
from nightbell.words.errors import CallerError, ErrorCode, PlatformError

NOW = 1_790_000_000_000
MIN = 60_000
ANA = ShareCredential("5b0f8a2e-3c1d-4e5f-8a9b-0c1d2e3f4a5b", "ana-phone", "ana", 3, 0)
PASSWORD = "ana's share password"
APP = "d89443d2-327c-4a6f-89e5-496bbb0317db"
FIRST_SESSION = b"00000000-0000-4000-8000-000000000000"
UNKNOWN = "33333333-3333-4333-8333-333333333333"


class Accounts:
    """One Share account, Ana's."""

    def __init__(self) -> None:
        self.sessions: dict[str, int] = {}
        self.impatient_until_ms = 0
        self.overloaded = False

    def share_account_by_name(self, name: str) -> ShareCredential | None:
        return ANA if name.casefold() == ANA.name else None

    def share_account_by_id(self, account: str) -> ShareCredential | None:
        return ANA if account == ANA.account else None

    async def share_verify_password(
        self, account: ShareCredential | None, password: str, *, peer: str, now_ms: int
    ) -> bool:
        assert peer
        if self.overloaded:
            raise PlatformError(ErrorCode.OVERLOADED, "busy")
        if now_ms < self.impatient_until_ms:
            wait_s = -(-(self.impatient_until_ms - now_ms) // 1000)
            raise CallerError(ErrorCode.TRY_LATER, "wait", retry_after_s=wait_s)
        return account is ANA and password == PASSWORD

    async def share_session_open(self, account: ShareCredential, now_ms: int) -> str:
        assert account is ANA
        session = f"00000000-0000-4000-8000-{len(self.sessions):012d}"
        self.sessions[session] = now_ms
        return session

    def share_session(self, session_id: str, now_ms: int) -> Identity | None:
        opened_ms = self.sessions.get(session_id)
        if opened_ms is None or now_ms - opened_ms > 86_400_000:
            return None
        return Identity("ana", frozenset({"share"}), 7, 3)


class Reads:
    """What the journal in memory holds."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.broken = False
        self.withdrawn = False

    async def readings(self, identity: Identity, *, minutes: int, count: int, now_ms: int) -> SharePage:
        assert 1 <= minutes <= 1440
        assert 1 <= count <= 288
        if self.broken:
            raise PlatformError(ErrorCode.INTERNAL, "cannot read")
        if self.withdrawn:
            raise CallerError(ErrorCode.NOT_FOUND, "not yours")
        mine = [r for r in self.log.readings() if r.sharer == identity.sharer]
        recent = [r for r in mine if now_ms - r.measured_ms <= minutes * MIN]
        return SharePage(sorted(recent, key=lambda r: -r.measured_ms)[:count], ZoneInfo("America/New_York"))


class Service:
    """The Share service and a client of it; time passes only while somebody is made to wait."""

    def __init__(self) -> None:
        self.now_ms = NOW
        self.log = MemoryLog()
        self.accounts = Accounts()
        self.reads = Reads(self.log)
        publish = Publish(self.log, clock_learned=self._clock_learned)
        self.log.subscribe(publish.consume)
        self.dialect = ShareDialect(self.accounts, publish, self.reads, pause=self._pause)

    def _clock_learned(self, change: ClockChange) -> asyncio.Future[int]:
        assert change.source == ANA.credential
        return self.log.settled()

    async def _pause(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)

    async def call(
        self,
        method: str,
        body: object = b"",
        *,
        verb: str = "POST",
        accept: str = "*/*",
        peer: str = "192.0.2.1",
        **query: str,
    ) -> DoorAnswer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/ShareWebServices/Services/{method}"
        request = DoorRequest(
            verb, path, urlencode(query).encode(), {b"accept": accept.encode()}, sent, peer, self.now_ms
        )
        return await self.dialect.handle(request)

    async def string(self, method: str, body: object = b"", **query: str) -> str:
        """Call a method whose result is a JSON string."""
        answer = await self.call(method, body, **query)
        assert answer.status == 200, answer.body
        value = json.loads(answer.body)
        assert isinstance(value, str)
        return value

    async def log_in(self) -> str:
        body = {"accountName": ANA.name, "password": PASSWORD, "applicationId": APP}
        return await self.string("General/LoginPublisherAccountByName", body)

    async def post(self, session: str, *egvs: object) -> DoorAnswer:
        upload = {"SN": "SM00000000", "Egvs": egvs, "TA": -5}
        return await self.call("Publisher/PostReceiverEgvRecords", upload, sessionId=session)

    async def read(self, session: str, **query: str) -> list[dict[str, object]]:
        asked = {"minutes": "1440", "maxCount": "288"} | query
        method = "Publisher/ReadPublisherLatestGlucoseValues"
        answer = await self.call(method, b"{}", sessionId=session, **asked)
        assert answer.status == 200
        found: list[dict[str, object]] = json.loads(answer.body)
        return found


class Wrong(NamedTuple):
    code: str
    message: str


def fault(answer: DoorAnswer) -> Wrong:
    assert answer.status == 500
    assert (b"content-type", b"application/json") in answer.headers
    body = json.loads(answer.body)
    assert list(body) == ["Code", "Message", "SubCode", "TypeName"]
    assert all(isinstance(value, str) for value in body.values())
    return Wrong(body["Code"], body["Message"])


def egv(value: object, at_ms: int = NOW, **more: object) -> dict[str, object]:
    return {"Trend": 4, "Value": value, "ST": f"/Date({at_ms})/", "DT": f"/Date({at_ms})/"} | more

"""The methods of the Share service.

Rules of the protocol that are ours to keep: every error is HTTP 500 with four strings; a string result is
JSON with its quotes; a method that returns nothing answers 200 with an empty body; names in paths and queries
may be in any case; parameters may stand in the query or in the body; `minutes` and `maxCount` are clamped,
never refused; any serial number is welcome; and a reading we refuse does not fail the upload it came in, or
the client would sign in and send it for ever.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import structlog

from nightbell.account.identity import Identity, Uploader
from nightbell.account.share import ShareCredential
from nightbell.adapters.dialects.share import wire
from nightbell.adapters.dialects.share.brake import HELD_MAX, HOLD_READ_MS, HOLD_WRITE_MS, WAIT_MS_MAX, Brake
from nightbell.adapters.dialects.share.faults import (
    JSON_HEADERS,
    Fault,
    Kind,
    argument_invalid,
    busy,
    fault_answer,
    not_a_uuid,
    password_invalid,
    session_not_found,
)
from nightbell.adapters.dialects.share.ports import ShareAccounts, ShareReads
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all
from nightbell.publish.admit import RawReading
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.service import BODY_BYTES_MAX, READINGS_MAX, Publish
from nightbell.words.errors import CallerError, PlatformError

PREFIX: Final = "/ShareWebServices/Services/"

MINUTES_MAX: Final = 1440
COUNT_MAX: Final = 288
"""What a read gives at most (dexcom-share sheet, section 2.2)."""

PARAMETER_CHARS_MAX: Final = 1024
QUERY_BYTES_MAX: Final = 8192

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_XML_HEADERS: Final = ((b"content-type", b"application/xml; charset=utf-8"), JSON_HEADERS[1])
_EMPTY: Final = DoorAnswer(200, JSON_HEADERS, b"")

_log = structlog.get_logger()


class _Call(NamedTuple):
    """A request taken apart: parameters of query and body under lower-case names, the query first."""

    request: DoorRequest
    parameters: Mapping[str, object]
    body: object

    def text(self, name: str) -> str:
        """A parameter as text; empty if it is missing or something else."""
        value = self.parameters.get(name, "")
        if not isinstance(value, str) or len(value) > PARAMETER_CHARS_MAX:
            return ""
        return value.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be said back


class ShareDialect:
    """Handles everything under `PREFIX`.

    Args:
        accounts: Share credentials and sessions.
        publish: The way in for readings.
        reads: The way out.
        admission: Who is let in; without one, everybody.
        pause: Waits for so many seconds.
    """

    def __init__(
        self,
        accounts: ShareAccounts,
        publish: Publish,
        reads: ShareReads,
        *,
        admission: Admission | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._publish = publish
        self._reads = reads
        self._admission = admission or open_to_all()
        self._pause = pause
        self._brake = Brake()
        self._held = 0
        self._methods: Final = {
            "general/systemutctime": self._utc_time,
            "general/authenticatepublisheraccount": self._authenticate,
            "general/loginpublisheraccountbyid": self._log_in_by_id,
            "general/loginpublisheraccountbyname": self._log_in_by_name,
            "publisher/readpublisherlatestglucosevalues": self._read,
            "publisher/isremotemonitoringsessionactive": self._with_session(b"true"),
            "publisher/startremotemonitoringsession": self._with_session(b""),
            "publisher/stopremotemonitoringsession": self._with_session(b""),
            "publisher/checkmonitoredreceiverassignmentstatus": self._with_session(b'"AssignedToYou"'),
            "publisher/replacepublisheraccountmonitoredreceiver": self._with_session(b""),
            "publisher/postreceiveregvrecords": self._post,
            "publisher/updatepublisheraccountruntimeinfo": self._with_session(b""),
            "publisher/listpublisheraccountsubscriptions": self._with_session(b"[]"),
            "publisher/doescontactexistbyname": self._with_session(b"false"),
        }

    async def handle(self, request: DoorRequest) -> DoorAnswer:
        """Answer one request: 200, or 500 with the four strings."""
        try:
            return await self._handle(request)
        except Fault as fault:
            await self._hold(fault.hold_ms)
            return fault_answer(fault, request.received_ms)

    async def _handle(self, request: DoorRequest) -> DoorAnswer:
        segments = [segment for segment in request.path.split("/") if segment]
        method = self._methods.get("/".join(segments[2:]).lower())
        if method is None:
            raise Fault(Kind.NO_METHOD, "There is no such operation.")
        if len(request.body) > BODY_BYTES_MAX or len(request.query) > QUERY_BYTES_MAX:
            raise argument_invalid("a request of at most 256 KiB")
        body = wire.loads(request.body) if request.body else None
        query = request.query.decode("utf-8", "replace")
        try:
            asked = {name.lower(): value for name, value in parse_qsl(query, max_num_fields=64)}
        except ValueError:
            raise argument_invalid("a query of at most 64 parameters") from None
        call = _Call(request, {**wire.lowered(body), **asked}, body)
        try:
            return await method(call)
        except PlatformError as error:
            _log.warning("share.failed", code=error.code)
            spread_ms = hash((request.peer, request.received_ms)) % HOLD_WRITE_MS
            hold_ms = HOLD_READ_MS if method == self._read else HOLD_WRITE_MS
            raise busy(hold_ms + spread_ms) from None

    # Who

    async def _utc_time(self, call: _Call) -> DoorAnswer:
        accepts = call.request.headers.get(b"accept", b"")
        as_json = b"application/json" in accepts.lower()
        body = wire.utc_time(call.request.received_ms, as_json=as_json)
        return DoorAnswer(200, JSON_HEADERS if as_json else _XML_HEADERS, body)

    async def _authenticate(self, call: _Call) -> DoorAnswer:
        account = await self._proven_by_name(call)
        return _quoted(account.account)

    async def _log_in_by_id(self, call: _Call) -> DoorAnswer:
        account_id = call.text("accountid")
        if not _UUID.fullmatch(account_id):
            raise not_a_uuid(account_id)
        account = await self._proven(call, self._accounts.share_account_by_id(account_id.lower()), account_id)
        return _quoted(await self._accounts.share_session_open(account, call.request.received_ms))

    async def _log_in_by_name(self, call: _Call) -> DoorAnswer:
        account = await self._proven_by_name(call)
        return _quoted(await self._accounts.share_session_open(account, call.request.received_ms))

    async def _proven_by_name(self, call: _Call) -> ShareCredential:
        name = call.text("accountname")
        if not name:
            raise argument_invalid("accountName")
        return await self._proven(call, self._accounts.share_account_by_name(name), name)

    async def _proven(self, call: _Call, account: ShareCredential | None, named: str) -> ShareCredential:
        """The account, if the password is its own. Every try costs a token of the brake, right or wrong."""
        password = call.text("password")
        if not password:
            raise argument_invalid("password")
        request = call.request
        bucket = named.casefold() if account is None else account.account
        waited_ms = self._brake.wait_ms(bucket, request.peer, request.received_ms)
        await self._hold(waited_ms)
        now_ms = request.received_ms + waited_ms
        try:
            right = await self._verify(account, password, request.peer, now_ms)
        except CallerError as error:
            # Wrong passwords before this one made us slow. We wait here, so that the right one is heard.
            patience_ms = min(int(error.fields.get("retry_after_s", 1)) * 1000, WAIT_MS_MAX)
            await self._hold(patience_ms)
            right = await self._verify_after(account, password, request.peer, now_ms + patience_ms)
        if account is None or not right:
            raise password_invalid()
        return account

    async def _verify(self, account: ShareCredential | None, password: str, peer: str, now_ms: int) -> bool:
        return await self._accounts.share_verify_password(account, password, peer=peer, now_ms=now_ms)

    async def _verify_after(
        self, account: ShareCredential | None, password: str, peer: str, now_ms: int
    ) -> bool:
        try:
            return await self._verify(account, password, peer, now_ms)
        except CallerError:
            raise Fault(Kind.BUSY, "Too many tries with a wrong password. Try again in a minute.") from None

    def _session(self, call: _Call) -> Identity:
        session_id = call.text("sessionid")
        identity = None
        if _UUID.fullmatch(session_id):
            identity = self._accounts.share_session(session_id.lower(), call.request.received_ms)
        if identity is None:
            raise session_not_found(session_id)
        return identity

    def _with_session(self, body: bytes) -> Callable[[_Call], Awaitable[DoorAnswer]]:
        """A method that needs a session and always answers the same."""
        answer = DoorAnswer(200, JSON_HEADERS, body)

        async def method(call: _Call) -> DoorAnswer:
            self._session(call)
            return answer

        return method

    # Readings

    async def _read(self, call: _Call) -> DoorAnswer:
        identity = self._session(call)
        asked = call.parameters.get
        minutes = wire.whole(asked("minutes"), least=0, most=MINUTES_MAX, missing=MINUTES_MAX)
        count = wire.whole(asked("maxcount"), least=0, most=COUNT_MAX, missing=COUNT_MAX)
        if not minutes or not count:
            return DoorAnswer(200, JSON_HEADERS, b"[]")
        try:
            page = await self._reads.readings(
                identity, minutes=minutes, count=count, now_ms=call.request.received_ms
            )
        except CallerError:
            raise session_not_found(call.text("sessionid")) from None
        return DoorAnswer(200, JSON_HEADERS, wire.records(page.readings, page.zone))

    async def _post(self, call: _Call) -> DoorAnswer:
        identity = self._session(call)
        self._admission.check(Work.LIVE, identity.sharer)
        raw = wire.uploaded(call.body)
        if raw is None:
            raise argument_invalid("Egvs")
        if identity.sharer < 0:
            raise session_not_found(call.text("sessionid"))
        uploader = Uploader(identity.sharer, identity.credential)
        # Some clients send a day of readings a minute apart in one upload: the newest go first, and what is
        # refused of the older ones keeps nothing back.
        raw = sorted(raw, key=_when, reverse=True) if len(raw) > READINGS_MAX else raw
        refused: PlatformError | None = None
        for first in range(0, len(raw), READINGS_MAX):
            try:
                await self._publish.publish(
                    uploader=uploader,
                    raw=raw[first : first + READINGS_MAX],
                    sent_ms=0,
                    received_ms=call.request.received_ms,
                )
            except PlatformError as error:
                refused = error
        if refused is not None:
            raise refused
        return _EMPTY

    async def _hold(self, wait_ms: int) -> None:
        if wait_ms <= 0 or self._held >= HELD_MAX:
            return
        self._held += 1
        try:
            await self._pause(wait_ms / 1000)
        finally:
            self._held -= 1


def _when(raw: RawReading) -> int:
    return raw.measured_ms if isinstance(raw.measured_ms, int) else 0


def _quoted(identifier: str) -> DoorAnswer:
    return DoorAnswer(200, JSON_HEADERS, b'"%s"' % identifier.encode())

"""The native door: `POST /v1/readings`. From request to answer, free of any server.

A body that has the right shape is decoded in one go. One that has not is taken apart reading by reading, so
that a bad one is refused with its place and a reason and the good ones are kept.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from nightbell.account.identity import Identity, Uploader
from nightbell.load.again import AGAIN_S_MAX, AGAIN_S_MIN
from nightbell.load.deadline import HEADER as DEADLINE
from nightbell.load.deadline import is_over, left_ms
from nightbell.load.gate import Work
from nightbell.load.service import Admission, open_to_all
from nightbell.publish.admit import RawReading, Reason
from nightbell.publish.columns import MANY, RawColumns, levels_of, levels_of_mmol, times_of, trends_of
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.ports import Durable
from nightbell.publish.service import (
    BODY_BYTES_MAX,
    PLAIN_ONE,
    READINGS_MAX,
    Publish,
    Published,
    clock_sentence,
)
from nightbell.words.catalogue import Catalogue
from nightbell.words.clock import Clock, to_ms
from nightbell.words.errors import CallerError, ErrorCode, PlatformError
from nightbell.words.glucose import mgdl_from_mmol

PATH: Final = "/v1/readings"

Instant = int | Annotated[datetime, msgspec.Meta(tz=True)]
"""Epoch milliseconds, or RFC 3339 with its offset from UTC."""


class NativeReading(msgspec.Struct, gc=False):
    """One reading to publish: a time and one glucose value.

    Attributes:
        measured_at: When it was measured, by your clock.
        glucose_mgdl: mg/dL from 20 to 600, or "LOW" or "HIGH" where the sensor says so.
        glucose_mmoll: mmol/L, instead of `glucose_mgdl`.
        trend: The sensor's arrow, by name ("FortyFiveDown") or number. Unknown ones are taken as none.
    """

    measured_at: Instant
    glucose_mgdl: int | float | Literal["LOW", "HIGH"] | None = None
    glucose_mmoll: float | Literal["LOW", "HIGH"] | None = None
    trend: int | str | None = None


class Upload(msgspec.Struct):
    """What to send: at most 512 readings in 256 KiB.

    Attributes:
        readings: In any order; the newest first lets us hear of a low soonest.
        sent_at: What your clock shows as you send this very request; write it anew when you try again.
            It tells us at once if your clock is wrong.
    """

    readings: list[NativeReading]
    sent_at: Instant | None = None


class RefusedReading(msgspec.Struct, frozen=True):
    """A reading that was not kept: its place in the upload from 0, why, and why in words."""

    index: int
    reason: Reason
    sentence: str


class ClockNotice(msgspec.Struct, frozen=True):
    """Your clock is wrong by `offset_s` seconds: add them to your time to get true time."""

    offset_s: int
    sentence: str


class UploadAnswer(msgspec.Struct, frozen=True):
    """What became of an upload. What is accepted is durable. Do not send a refused reading again.

    Attributes:
        accepted: How many are kept, duplicates among them.
        duplicates: How many of these we had already.
        refused: The others.
        clock: Only while your clock is wrong.
    """

    accepted: int
    duplicates: int
    refused: list[RefusedReading]
    clock: ClockNotice | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document (RFC 9457).

    Attributes:
        title: The error in a word, as `code`.
        status: The HTTP status.
        detail: What happened, what was kept, what to do.
        code: An `ErrorCode`, for programs.
        retry_after_s: When to try again.
    """

    title: str
    status: int
    detail: str
    code: ErrorCode
    retry_after_s: int | None = None


_decode_upload: Final = msgspec.json.Decoder(Upload).decode
_encode: Final = msgspec.json.Encoder().encode
_NO_STORE: Final = (b"cache-control", b"no-store")
_JSON_HEADERS: Final = ((b"content-type", b"application/json"), _NO_STORE)
_PROBLEM_HEADERS: Final = ((b"content-type", b"application/problem+json"), _NO_STORE)
_BEARER: Final = b"bearer "
_MMOLL_ABSURD: Final = 100
ONE_ACCEPTED: Final = DoorAnswer(200, _JSON_HEADERS, b'{"accepted":1,"duplicates":0,"refused":[]}')
"""The usual answer, the same object each time: who writes it may keep its bytes."""
_RETRY_AFTER_S: Final = 5

REFUSALS_KEPT: Final = 3 * AGAIN_S_MAX
"""Refusals whose answer is kept: three codes, each with as many waits as there are."""


class NativeDoor:
    """Handles `POST /v1/readings`.

    Args:
        publish: The step itself.
        identify: Who a bearer is; None if nobody any more.
        uploader: For whom a bearer publishes, which is asked first; None if `identify` is to say why not.
        words: The sentences.
        admission: Who is let in; without one, everybody.
        clock: For how long an upload waited for its turn; without one, only the event loop's lag counts.
    """

    def __init__(
        self,
        publish: Publish,
        *,
        identify: Callable[[str, int], Identity | None],
        uploader: Callable[[str, int], Uploader | None],
        words: Catalogue,
        admission: Admission | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        self._admission = admission or open_to_all()
        self._publish = publish
        self._identify = identify
        self._known_uploader = uploader
        self._words = words
        self._not_now: dict[tuple[ErrorCode, int], DoorAnswer] = {}

    def offer(self, request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        """Answer one request through `answered`, once; every error is a problem document."""
        if request.method != "POST":
            detail = self._words.say("publish.problem.method")
            answered(_problem(405, ErrorCode.MALFORMED, detail, (b"allow", b"POST")))
            return
        try:
            uploader = self._uploader(request)
            if DEADLINE in request.headers or not self._admission.calm:
                seconds = self._turned_away_s(uploader, request)
                if seconds:
                    answered(self._refused(ErrorCode.OVERLOADED, seconds))
                    return
            self._take(uploader, request, answered)
        except CallerError as error:
            answered(self._caller_problem(error))
        except PlatformError as error:
            answered(self._platform_problem(error, request))

    def _take(self, uploader: Uploader, request: DoorRequest, answered: Callable[[DoorAnswer], None]) -> None:
        """Take an upload, and answer it when what was accepted is durable.

        Raises:
            CallerError: It cannot be read, or has too many readings.
            PlatformError: As `Publish.take`.
        """
        raw, sent_ms = read_upload(request.body)

        def heard(_: int, error: PlatformError | None) -> None:
            answered(ONE_ACCEPTED if error is None else self._platform_problem(error, request))

        received_ms = request.received_ms
        only = raw[0] if len(raw) == 1 and not isinstance(raw, RawColumns) else None
        if only is not None and self._publish.take_plain(uploader, only, sent_ms, received_ms, heard):
            return
        published, durable = self._publish.take(
            uploader=uploader, raw=raw, sent_ms=sent_ms, received_ms=received_ms
        )
        if durable is None:
            answered(self._said(published))
        else:
            durable.add_done_callback(lambda done: answered(self._outcome(done, published, request)))

    def _turned_away_s(self, uploader: Uploader, request: DoorRequest) -> int:
        """0, or when to come again: nobody waits any more, or live readings are not taken from them now.

        Asked before anything is decoded, and nothing is raised: what is refused costs as little as it can.
        """
        left = left_ms(request.headers.get(DEADLINE, b""))
        if left is not None:
            turn_ms = self._clock.now_ms() - request.received_ms if self._clock else 0
            if is_over(left, max(self._admission.lag_ms, turn_ms)):
                return AGAIN_S_MIN
        return 0 if self._admission.calm else self._admission.refuses(Work.LIVE, uploader.sharer)

    def _outcome(self, durable: Durable, published: Published, request: DoorRequest) -> DoorAnswer:
        """The answer once the journal has spoken."""
        error = None if durable.cancelled() else durable.exception()
        if error is None and not durable.cancelled():
            return self._said(published)
        if not isinstance(error, PlatformError):
            error = PlatformError(ErrorCode.INTERNAL, "")
        return self._platform_problem(error, request)

    def _said(self, published: Published) -> DoorAnswer:
        if published == PLAIN_ONE:
            return ONE_ACCEPTED
        return DoorAnswer(200, _JSON_HEADERS, _encode(self._answer(published)))

    def _uploader(self, request: DoorRequest) -> Uploader:
        """Who uploads.

        Raises:
            CallerError: NOT_SIGNED_IN, NOT_ALLOWED, or TOO_LARGE.
        """
        authorization = request.headers.get(b"authorization", b"")
        uploader = None
        if authorization[:7].lower() == _BEARER:
            bearer = authorization[7:].strip().decode("latin-1")
            uploader = self._known_uploader(bearer, request.received_ms)
            if uploader is None and self._identify(bearer, request.received_ms) is not None:
                raise CallerError(ErrorCode.NOT_ALLOWED, self._words.say("publish.problem.not_allowed"))
        if uploader is None:
            raise CallerError(ErrorCode.NOT_SIGNED_IN, self._words.say("publish.problem.not_signed_in"))
        announced = request.headers.get(b"content-length", b"")
        if len(request.body) > BODY_BYTES_MAX or _larger(announced):
            raise CallerError(
                ErrorCode.TOO_LARGE, self._words.say("publish.problem.too_large", bytes=BODY_BYTES_MAX)
            )
        return uploader

    def _answer(self, published: Published) -> UploadAnswer:
        words = self._words
        refused = [
            RefusedReading(place, reason, words.say(f"publish.refused.{reason}"))
            for place, reason in published.refused
        ]
        clock: ClockNotice | msgspec.UnsetType = msgspec.UNSET
        if published.offset_ms:
            clock = ClockNotice(published.offset_ms // 1000, clock_sentence(words, published.offset_ms))
        return UploadAnswer(published.accepted, published.duplicates, refused, clock)

    def _caller_problem(self, error: CallerError) -> DoorAnswer:
        detail = self._words.say(f"publish.problem.{error.code}", bytes=BODY_BYTES_MAX, readings=READINGS_MAX)
        status = _CALLER_STATUS[error.code]
        if error.code is ErrorCode.NOT_SIGNED_IN:
            return _problem(status, error.code, detail, (b"www-authenticate", b"Bearer"))
        return _problem(status, error.code, detail)

    def _platform_problem(self, error: PlatformError, request: DoorRequest) -> DoorAnswer:
        if error.code not in _NOT_NOW:
            return _problem(500, error.code, self._words.say("publish.problem.internal"))
        return self._refused(error.code, retry_after_s(error, request))

    def _refused(self, code: ErrorCode, seconds: int) -> DoorAnswer:
        """What is said to everybody who is to come again after so long: made once."""
        answer = self._not_now.get((code, seconds))
        if answer is None:
            detail = self._words.say(f"publish.problem.{code}", seconds=seconds)
            problem = Problem(code, 503, detail, code, seconds)
            answer = DoorAnswer(503, (*_PROBLEM_HEADERS, (b"retry-after", b"%d" % seconds)), _encode(problem))
            if len(self._not_now) < REFUSALS_KEPT:
                self._not_now[code, seconds] = answer
        return answer


_NOT_NOW: Final = frozenset({ErrorCode.OVERLOADED, ErrorCode.NOT_DURABLE, ErrorCode.SWITCHED_OFF})

_CALLER_STATUS: Final = {
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.MALFORMED: 400,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.TOO_MANY: 413,
}


def _problem(status: int, code: ErrorCode, detail: str, *headers: tuple[bytes, bytes]) -> DoorAnswer:
    return DoorAnswer(status, (*_PROBLEM_HEADERS, *headers), _encode(Problem(code, status, detail, code)))


def retry_after_s(error: PlatformError, request: DoorRequest) -> int:
    """When to try again: whoever refused has spread it; where nobody said, by client and moment."""
    if error.retry_after_s:
        return error.retry_after_s
    return _RETRY_AFTER_S + hash((request.peer, request.received_ms)) % (_RETRY_AFTER_S + 1)


def read_upload(body: bytes, *, many: int = MANY) -> tuple[Sequence[RawReading] | RawColumns, int]:
    """The raw readings of a body and what the sender's clock showed (0 if it did not say).

    From `many` readings on they come as columns, if they are as nearly everybody sends them.

    Raises:
        CallerError: MALFORMED or TOO_MANY.
    """
    try:
        upload = _decode_upload(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(body)
    readings, sent_ms = upload.readings, _sent_ms(upload.sent_at)
    _check_number(len(readings))
    columns = _in_columns(readings) if len(readings) >= many else None
    return [_typed(reading) for reading in readings] if columns is None else columns, sent_ms


def _in_columns(readings: list[NativeReading]) -> RawColumns | None:
    """Readings as columns; None if their times or values are not all of one kind."""
    measured_ms = times_of([reading.measured_at for reading in readings])
    mgdl = [reading.glucose_mgdl for reading in readings]
    mmol = [reading.glucose_mmoll for reading in readings]
    if mmol.count(None) == len(mmol):
        level = levels_of(mgdl)
    elif mgdl.count(None) == len(mgdl):
        level = levels_of_mmol(mmol, _MMOLL_ABSURD)
    else:
        return None
    if measured_ms is None or level is None:
        return None
    return RawColumns(measured_ms, level, trends_of([reading.trend for reading in readings]))


def _typed(reading: NativeReading) -> RawReading:
    at = reading.measured_at
    glucose: object = reading.glucose_mgdl
    if glucose is None:
        glucose = _mgdl(reading.glucose_mmoll)
    elif reading.glucose_mmoll is not None:
        glucose = Reason.NOT_A_NUMBER
    return RawReading(at if type(at) is int else _ms(at), glucose, reading.trend)


def _read_leniently(body: bytes) -> tuple[list[RawReading], int]:
    try:
        # The standard library's reader also takes NaN and Infinity, which some senders write: they cost only
        # the reading they stand in.
        upload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallerError(ErrorCode.MALFORMED, f"The body is not JSON: {type(error).__name__}.") from None
    if not isinstance(upload, dict) or not isinstance(upload.get("readings"), list):
        raise CallerError(ErrorCode.MALFORMED, "The body has no list named readings.")
    _check_number(len(upload["readings"]))
    return [_untyped(reading) for reading in upload["readings"]], _sent_ms(_instant(upload.get("sent_at")))


def _untyped(reading: object) -> RawReading:
    if not isinstance(reading, dict):
        return RawReading(Reason.NOT_A_READING, Reason.NOT_A_READING)
    at = _instant(reading.get("measured_at"))
    glucose: object = reading.get("glucose_mgdl")
    mmoll = reading.get("glucose_mmoll")
    if glucose is None:
        glucose = _mgdl(mmoll)
    elif mmoll is not None:
        glucose = Reason.NOT_A_NUMBER
    return RawReading(_ms(at), glucose, reading.get("trend"))


def _mgdl(mmoll: object) -> object:
    """The mg/dL of a raw value in mmol/L; what is no number is handed on for `admit` to refuse."""
    if not isinstance(mmoll, int | float) or isinstance(mmoll, bool) or mmoll != mmoll:  # noqa: PLR0124 NaN
        return mmoll
    return int(mgdl_from_mmol(mmoll)) if 0 <= mmoll <= _MMOLL_ABSURD else Reason.OUT_OF_RANGE


def _instant(value: object) -> object:
    """An instant out of a value of any kind; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return msgspec.convert(value, Annotated[datetime, msgspec.Meta(tz=True)])
    except (msgspec.ValidationError, ValueError):
        return None


def _ms(at: object) -> object:
    return to_ms(at) if isinstance(at, datetime) else at


def _sent_ms(at: object) -> int:
    sent = _ms(at)
    return sent if isinstance(sent, int) else 0


def _check_number(readings: int) -> None:
    if readings > READINGS_MAX:
        raise CallerError(
            ErrorCode.TOO_MANY, f"More than {READINGS_MAX} readings.", readings_max=READINGS_MAX
        )


def _larger(announced: bytes) -> bool:
    return announced.isdigit() and (len(announced) > len("1000000") or int(announced) > BODY_BYTES_MAX)

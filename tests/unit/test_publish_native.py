"""`POST /v1/readings`, without a server."""

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.account.identity import Identity, Uploader
from nightbell.adapters.stores.memory.reading_log import MemoryLog
from nightbell.publish.admit import Reason
from nightbell.publish.clock import ClockChange
from nightbell.publish.door import DoorAnswer, DoorRequest
from nightbell.publish.native import NativeDoor, Problem, Upload, UploadAnswer
from nightbell.publish.service import BODY_BYTES_MAX, Publish
from nightbell.web.front import awaited
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import ManualClock
from nightbell.words.errors import ErrorCode
from nightbell.words.glucose import CENSORED_HIGH, CENSORED_LOW

NOW = 1_790_000_000_000
MIN = 60_000
PEOPLE = {
    "ana": Identity("ana", frozenset({"publish"}), 7, 3),
    "ben": Identity("ben", frozenset({"follow"}), -1, 4),
    "cleo": Identity("cleo", frozenset({"follow"}), 9, 6),
    "dan": Identity("dan", frozenset({"publish"}), -1, 5),
}


class Door:
    """The native door before a journal in memory."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        publish = Publish(self.log, clock_learned=self._clock_learned)
        self.log.subscribe(publish.consume)
        self.clock = ManualClock(NOW)
        self.native = NativeDoor(
            publish,
            identify=lambda bearer, _: PEOPLE.get(bearer),
            uploader=lambda bearer, _: Uploader(7, 3) if bearer == "ana" else None,
            words=catalogue(),
            clock=self.clock,
        )

    def _clock_learned(self, change: ClockChange) -> asyncio.Future[int]:
        assert change.source
        return self.log.settled()

    async def post(
        self, body: bytes | object, *, who: str = "ana", method: str = "POST", waits_ms: str = ""
    ) -> DoorAnswer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {b"authorization": b"Bearer " + who.encode()} if who else {}
        if waits_ms:
            headers[b"deadline-ms"] = waits_ms.encode()
        request = DoorRequest(method, "/v1/readings", b"", headers, sent, "127.0.0.1", NOW)
        return await awaited(self.native.offer)(request)

    async def publish(self, *readings: object) -> UploadAnswer:
        answer = await self.post({"readings": readings})
        assert answer.status == 200
        return msgspec.json.decode(answer.body, type=UploadAnswer)


@pytest.fixture
def door() -> Door:
    return Door()


def problem(answer: DoorAnswer) -> Problem:
    assert (b"content-type", b"application/problem+json") in answer.headers
    found = msgspec.json.decode(answer.body, type=Problem)
    assert found.status == answer.status
    return found


async def test_what_waited_for_its_turn_longer_than_its_sender_waits_is_not_done(door: Door) -> None:
    upload = {"readings": [{"measured_at": NOW - 1_000, "glucose_mgdl": 112}]}
    door.clock.advance_ms(1_500)

    gone = await door.post(upload, waits_ms="1500")
    nothing_kept = not list(door.log.readings())
    waiting = await door.post(upload, waits_ms="1501")

    assert (gone.status, problem(gone).code, nothing_kept) == (503, ErrorCode.OVERLOADED, True)
    assert (b"retry-after", b"5") in gone.headers
    assert waiting.status == 200


async def test_one_good_reading_is_accepted(door: Door) -> None:
    answer = await door.post({"readings": [{"measured_at": NOW, "glucose_mgdl": 112, "trend": "Flat"}]})

    assert answer.status == 200
    assert answer.body == b'{"accepted":1,"duplicates":0,"refused":[]}'
    assert [(r.sharer, r.measured_ms, r.level, r.trend, r.source) for r in door.log.readings()] == [
        (7, NOW, 112, 4, 3)
    ]


@pytest.mark.parametrize(
    "at", ["2026-09-21T14:13:20Z", "2026-09-21T16:13:20+02:00", "2026-09-21T14:13:20.000-00:00"]
)
async def test_a_time_may_be_written_with_its_offset(door: Door, at: str) -> None:
    await door.publish({"measured_at": at, "glucose_mgdl": 112})

    expected = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC).timestamp() * 1000
    assert door.log.readings()[0].measured_ms == expected == NOW


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ({"glucose_mgdl": "LOW"}, CENSORED_LOW),
        ({"glucose_mgdl": "HIGH"}, CENSORED_HIGH),
        ({"glucose_mgdl": 97.0}, 97),
        ({"glucose_mmoll": 3.9}, 70),
        ({"glucose_mmoll": 10}, 180),
        ({"glucose_mmoll": "LOW"}, CENSORED_LOW),
    ],
)
async def test_a_value_may_be_a_word_or_in_either_unit(
    door: Door, value: dict[str, object], level: int
) -> None:
    await door.publish({"measured_at": NOW, **value})

    assert door.log.readings()[0].level == level


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"measured_at": NOW, "glucose_mgdl": 5}, Reason.OUT_OF_RANGE),
        ({"measured_at": NOW, "glucose_mgdl": True}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mgdl": "112"}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mgdl": float("nan")}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mgdl": float("inf")}, Reason.OUT_OF_RANGE),
        ({"measured_at": NOW, "glucose_mgdl": 10**400}, Reason.OUT_OF_RANGE),
        ({"measured_at": NOW, "glucose_mmoll": float("nan")}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mmoll": 1e308}, Reason.OUT_OF_RANGE),
        ({"measured_at": NOW, "glucose_mmoll": -1}, Reason.OUT_OF_RANGE),
        ({"measured_at": NOW, "glucose_mmoll": True}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mmoll": [5]}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW, "glucose_mmoll": 5.0, "glucose_mgdl": 90}, Reason.NOT_A_NUMBER),
        ({"measured_at": NOW}, Reason.NOT_A_NUMBER),
        ({"glucose_mgdl": 100}, Reason.NOT_A_TIME),
        ({"measured_at": "yesterday", "glucose_mgdl": 100}, Reason.NOT_A_TIME),
        ({"measured_at": "2026-09-21T14:13:20", "glucose_mgdl": 100}, Reason.NOT_A_TIME),
        ({"measured_at": NOW + 0.5, "glucose_mgdl": 100}, Reason.NOT_A_TIME),
        ({"measured_at": None, "glucose_mgdl": 100}, Reason.NOT_A_TIME),
        ({"measured_at": 0, "glucose_mgdl": 100}, Reason.TOO_OLD),
        ({"measured_at": NOW + 10**12, "glucose_mgdl": 100}, Reason.IN_THE_FUTURE),
        ({"measured_at": 10**300, "glucose_mgdl": 100}, Reason.IN_THE_FUTURE),
        ([], Reason.NOT_A_READING),
        (None, Reason.NOT_A_READING),
        (5, Reason.NOT_A_READING),
        ("x", Reason.NOT_A_READING),
    ],
)
async def test_a_bad_reading_is_refused_in_words_and_the_good_ones_are_kept(
    door: Door, bad: object, reason: Reason
) -> None:
    answer = await door.publish(
        {"measured_at": NOW, "glucose_mgdl": 100}, bad, {"measured_at": NOW - MIN, "glucose_mgdl": 101}
    )

    assert answer.accepted == 2
    assert [(refused.index, refused.reason) for refused in answer.refused] == [(1, reason)]
    assert answer.refused[0].sentence
    assert [reading.level for reading in door.log.readings()] == [100, 101]


@pytest.mark.parametrize("trend", [True, [], {}, "Sideways", 99, 1.5, None])
async def test_an_odd_arrow_never_costs_the_reading(door: Door, trend: object) -> None:
    answer = await door.publish({"measured_at": NOW, "glucose_mgdl": 100, "trend": trend})

    assert answer.accepted == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'""',
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b'{"readings":{}}',
        b'{"readings":"x"}',
        b'{"readings":[',
        b'{"readings":' + b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"readings":[]}',
        b'{"readings":[{"measured_at":"\xff"}]}',
        b'{"readings":[1' + b"0" * 5000 + b"]}",
    ],
)
async def test_what_is_not_an_upload_is_answered_400_and_nothing_is_kept(door: Door, body: bytes) -> None:
    answer = await door.post(body)

    assert answer.status == 400
    assert problem(answer).detail
    assert door.log.groups == []


async def test_a_body_too_large_is_answered_413(door: Door) -> None:
    answer = await door.post(b" " * (BODY_BYTES_MAX + 1))

    assert answer.status == 413
    assert str(BODY_BYTES_MAX) in problem(answer).detail


async def test_a_body_that_was_cut_by_the_server_is_answered_413(door: Door) -> None:
    headers = {b"authorization": b"Bearer ana", b"content-length": b"10000000"}
    request = DoorRequest("POST", "/v1/readings", b"", headers, b"{", "127.0.0.1", NOW)

    answer = await awaited(door.native.offer)(request)

    assert answer.status == 413


async def test_too_many_readings_are_answered_413(door: Door) -> None:
    readings = [{"measured_at": NOW - n * 1000, "glucose_mgdl": 100} for n in range(513)]

    answer = await door.post({"readings": readings})

    assert answer.status == 413
    assert "512" in problem(answer).detail
    assert door.log.groups == []


@pytest.mark.parametrize(
    ("who", "status"), [("", 401), ("nobody", 401), ("ben", 403), ("cleo", 403), ("dan", 403)]
)
async def test_who_may_not_publish_is_told_so_and_nothing_is_kept(door: Door, who: str, status: int) -> None:
    answer = await door.post({"readings": [{"measured_at": NOW, "glucose_mgdl": 50}]}, who=who)

    assert problem(answer).status == status
    assert door.log.groups == []


async def test_a_bearer_that_is_not_ascii_is_nobody(door: Door) -> None:
    headers = {b"authorization": b"Bearer \xff\xfe"}
    request = DoorRequest("POST", "/v1/readings", b"", headers, b"{}", "127.0.0.1", NOW)

    assert (await awaited(door.native.offer)(request)).status == 401


async def test_another_method_is_answered_405(door: Door) -> None:
    answer = await door.post(b"", method="GET")

    assert problem(answer).status == 405
    assert (b"allow", b"POST") in answer.headers


async def test_a_full_lane_is_answered_503_with_the_time_the_journal_said(door: Door) -> None:
    door.log.live_max = 0
    body = json.dumps({"readings": [{"measured_at": NOW, "glucose_mgdl": 50}]}).encode()
    waits = set()
    for n in range(50):
        headers = {b"authorization": b"Bearer ana"}
        request = DoorRequest("POST", "/v1/readings", b"", headers, body, f"10.0.0.{n}", NOW)
        answer = await awaited(door.native.offer)(request)
        assert problem(answer).status == 503
        waits.add(int(dict(answer.headers)[b"retry-after"]))

    assert waits == {5}


async def test_a_journal_that_cannot_write_is_answered_503(door: Door) -> None:
    door.log.broken = True

    answer = await door.post({"readings": [{"measured_at": NOW, "glucose_mgdl": 50}]})

    assert problem(answer).status == 503
    assert b"retry-after" in dict(answer.headers)


@pytest.mark.parametrize("minutes", [m for m in range(-60, 61, 5) if m])
async def test_a_wrong_clock_is_said_at_once_when_the_client_says_its_time(door: Door, minutes: int) -> None:
    shown = NOW + minutes * MIN

    sent = {"sent_at": shown, "readings": [{"measured_at": shown - 3 * MIN, "glucose_mgdl": 50}]}
    answer = msgspec.json.decode((await door.post(sent)).body, type=UploadAnswer)

    assert isinstance(answer.clock, msgspec.Struct)
    assert answer.clock.offset_s == -minutes * 60
    assert "Phone clock wrong" in answer.clock.sentence
    assert door.log.readings()[0].measured_ms == NOW - 3 * MIN


async def test_a_right_clock_is_not_mentioned(door: Door) -> None:
    answer = await door.post({"sent_at": NOW - 900, "readings": [{"measured_at": NOW, "glucose_mgdl": 700}]})

    assert b"clock" not in answer.body


async def test_an_odd_sent_at_never_costs_the_readings(door: Door) -> None:
    for n, odd in enumerate((True, [], "now", 1e300, -5, "2026-09-21")):
        answer = await door.post(
            {"sent_at": odd, "readings": [{"measured_at": NOW - n * MIN, "glucose_mgdl": 50}]}
        )
        assert answer.status == 200

    assert len(door.log.readings()) == 6


def test_the_structs_give_an_openapi_schema() -> None:
    _, components = msgspec.json.schema_components([Upload, UploadAnswer, Problem])

    assert {"Upload", "UploadAnswer", "Problem", "NativeReading"} <= set(components)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
readings = st.one_of(
    values,
    st.fixed_dictionaries(
        {}, optional={"measured_at": values, "glucose_mgdl": values, "glucose_mmoll": values, "trend": values}
    ),
)
bodies = st.one_of(
    st.binary(max_size=200),
    values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries({"readings": st.lists(readings, max_size=6)}, optional={"sent_at": values}).map(
        lambda value: json.dumps(value).encode()
    ),
)


@given(body=bodies)
def test_whatever_the_body_the_answer_is_200_400_or_413_and_only_true_readings_are_kept(body: bytes) -> None:
    async def send() -> None:
        door = Door()
        answer = await door.post(body)
        assert answer.status in (200, 400, 413)
        if answer.status == 200:
            said = msgspec.json.decode(answer.body, type=UploadAnswer)
            assert said.accepted - said.duplicates == len(door.log.readings())
        else:
            assert door.log.groups == []

    asyncio.run(send())

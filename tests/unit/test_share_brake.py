"""The brake on clients that storm, and what the Share service makes of anything at all."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.dialects.share.brake import BUCKETS_MAX, BURST, WAIT_MS_MAX, Brake
from nightbell.publish.door import DoorRequest
from nightbell.words.glucose import is_level
from tests.unit.share_cast import ANA, FIRST_SESSION, MIN, NOW, PASSWORD, UNKNOWN, Service, fault


@pytest.fixture
def service() -> Service:
    return Service()


async def loops(service: Service, for_ms: int, peer: str = "192.0.2.1") -> int:
    """How often the storming client goes round: authenticate, sign in, read, and again without a pause."""
    start_ms, rounds = service.now_ms, 0
    who = {"accountName": ANA.name, "password": PASSWORD, "accountId": ANA.account}
    while service.now_ms - start_ms < for_ms:
        service.now_ms += 10
        await service.call("General/AuthenticatePublisherAccount", who, peer=peer)
        answer = await service.call("General/LoginPublisherAccountById", who, peer=peer)
        session = json.loads(answer.body)
        await service.call("Publisher/ReadPublisherLatestGlucoseValues", b"", sessionId=session, peer=peer)
        rounds += 1
    return rounds


@pytest.mark.parametrize("broken", [True, False])
async def test_a_client_that_loops_is_slowed_below_one_round_a_second(
    service: Service, *, broken: bool
) -> None:
    service.reads.broken = broken

    assert await loops(service, 60_000) < 15


async def test_a_client_that_loops_is_never_locked_out(service: Service) -> None:
    await loops(service, 60_000)

    assert await service.log_in()
    assert service.accounts.sessions


async def test_a_normal_client_never_waits(service: Service) -> None:
    for _ in range(20):
        await loops(service, 1)
        service.now_ms += 150_000

    assert service.now_ms == NOW + 20 * 150_010


async def test_a_stranger_s_storm_does_not_slow_the_owner(service: Service) -> None:
    await loops(service, 60_000, peer="198.51.100.9")
    before_ms = service.now_ms

    await service.log_in()

    assert service.now_ms == before_ms


def test_a_wait_is_never_longer_than_its_bound_even_if_the_clock_is_set_back() -> None:
    brake = Brake()

    waits = [brake.wait_ms("ana", "peer", NOW) for _ in range(100)]

    assert waits[:BURST] == [0] * BURST
    assert max(waits) == WAIT_MS_MAX
    assert brake.wait_ms("ana", "peer", NOW - 86_400_000) <= WAIT_MS_MAX


def test_the_brake_remembers_a_bounded_number_of_accounts() -> None:
    brake = Brake()

    for n in range(BUCKETS_MAX + 10):
        brake.wait_ms(str(n), "peer", NOW)

    assert len(brake._full_at_ms) == BUCKETS_MAX


# Anything at all


METHODS = (
    "General/AuthenticatePublisherAccount",
    "General/LoginPublisherAccountById",
    "General/LoginPublisherAccountByName",
    "General/SystemUtcTime",
    "Publisher/PostReceiverEgvRecords",
    "Publisher/ReadPublisherLatestGlucoseValues",
    "Publisher/UpdatePublisherAccountRuntimeInfo",
    "Publisher",
    "",
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=10,
)
members = {
    name: st.one_of(anything, st.sampled_from([ANA.name, ANA.account, PASSWORD, f"/Date({NOW})/", UNKNOWN]))
    for name in ("accountName", "accountId", "password", "sessionId", "minutes", "maxCount", "Egvs")
}
bodies = st.one_of(
    st.binary(max_size=60),
    st.one_of(anything, st.fixed_dictionaries({}, optional=members)).map(lambda v: json.dumps(v).encode()),
)


@given(
    method=st.one_of(st.sampled_from(METHODS), st.text(max_size=40)),
    verb=st.sampled_from(["POST", "GET", "PUT", "OPTIONS"]),
    query=st.one_of(st.binary(max_size=60), st.just(b"sessionId=" + FIRST_SESSION + b"&minutes=x")),
    body=bodies,
    signed_in=st.booleans(),
)
def test_whatever_arrives_the_answer_is_200_or_a_fault_and_garbage_is_never_a_reading(
    *, method: str, verb: str, query: bytes, body: bytes, signed_in: bool
) -> None:
    async def send() -> None:
        service = Service()
        if signed_in:
            await service.log_in()
        path = f"/ShareWebServices/Services/{method}"
        request = DoorRequest(verb, path, query, {}, body, "192.0.2.1", NOW)
        answer = await service.dialect.handle(request)
        if answer.status != 200:
            fault(answer)
        for reading in service.log.readings():
            assert signed_in
            assert is_level(reading.level)
            assert -MIN <= NOW - reading.measured_ms <= 30 * 86_400_000

    asyncio.run(send())

"""One notification goes to each way of a person, each of which has a life of its own and is learned about."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from nightbell.account.way import ProvenBy
from nightbell.deliver.lane import Item, Lane
from nightbell.deliver.outbox import (
    LOST_AGAIN_MS,
    channel_of,
    key_of,
    message_id,
    number_of,
    told_by,
    ways_to_take,
)
from nightbell.deliver.ports import Contact, ContactWay
from nightbell.deliver.record import APP, EMAIL, Delivery, DeliveryState
from nightbell.deliver.service import Deliver
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.errors import CallerError
from tests.simulators.cast import NOW_MS, effects, ring
from tests.unit.test_deliver_service import Postbox, Stage, settled, until

BED, DESK, OLD = "bed@example.test", "desk@example.test", "old@example.test"
BENS = (ContactWay(EMAIL, 1, BED), ContactWay(EMAIL, 2, DESK), ContactWay("sms", 3, "+351912345678"))


class Heard:
    """Keeps what becomes known of ways, as the accounts do: a way that is lost or good is so at once."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ...]] = []

    def lost(self, person_id: str, channel: str, number: int, address: str, now_ms: int) -> None:
        assert now_ms >= NOW_MS
        self.said.append(("lost", person_id, key_of(channel, number), address))

    def works(self, person_id: str, channel: str, number: int, address: str) -> None:
        self.said.append(("works", person_id, key_of(channel, number), address))

    def proven(self, person_id: str, channel: str, number: int, by: ProvenBy, now_ms: int) -> None:
        assert now_ms >= NOW_MS
        self.said.append(("proven", person_id, key_of(channel, number), by.value))


class ByAddress(Postbox):
    """A channel with an outcome for each address."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, Outcome] = {}

    async def send(self, message: Message, address: str, *, idempotency_key: str) -> Outcome:
        await super().send(message, address, idempotency_key=idempotency_key)
        return self.outcomes.get(address, Sent())


class WaysStage(Stage):
    """Ben is reached in three ways, by two channels."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.sms = Postbox("sms")
        self.by_address = ByAddress()
        super().__init__()
        self.postbox = self.by_address
        self.deliver = self._deliver()
        self.family.contacts["ben"] = Contact("ben", "Ben", BENS)

    def _deliver(self) -> Deliver:
        return Deliver(
            ledger=self.ledger,
            hub=self.hub,
            contacts=self.family,
            channels=[self.by_address, self.sms],
            clock=self.clock,
            settings=self.settings,
            way_news=self.heard,
        )

    def set_ways(self, *ways: ContactWay) -> None:
        self.family.contacts["ben"] = Contact("ben", "Ben", ways)


@pytest.fixture
async def stage() -> AsyncIterator[WaysStage]:
    stage = WaysStage()
    await stage.deliver.start()
    yield stage
    await stage.deliver.close()


async def test_a_ring_goes_to_every_way_and_each_has_a_name_of_its_own(stage: WaysStage) -> None:
    stage.deliver.tell(effects(ring()))
    for key in (EMAIL, "email:2", "sms:3"):
        await settled(stage, key, DeliveryState.SENT)

    told = await stage.told()
    assert told is not None
    assert {delivery.channel for delivery in told.deliveries} == {APP, EMAIL, "email:2", "sms:3"}
    assert {(message.id, address, key) for message, address, key in stage.postbox.taken} == {
        (ring().id, BED, f"{ring().id}.email"),
        (f"{ring().id}-2", DESK, f"{ring().id}-2.email"),
    }
    assert [key for _, _, key in stage.sms.taken] == [f"{ring().id}-3.sms"]


async def test_a_way_that_fails_is_tried_again_alone(stage: WaysStage) -> None:
    stage.by_address.outcomes[DESK] = Unavailable("away")
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.SENT)
    await until(lambda: len(stage.postbox.taken) == 2)
    stage.by_address.outcomes.clear()
    stage.advance(10_000)
    await settled(stage, "email:2", DeliveryState.SENT)

    assert [address for _, address, _ in stage.postbox.taken] == [BED, DESK, DESK]
    assert len({key for _, address, key in stage.postbox.taken if address == DESK}) == 1


async def test_a_dead_address_is_lost_a_plain_no_is_not(stage: WaysStage) -> None:
    stage.by_address.outcomes = {BED: Refused("no"), DESK: Refused("gone", lost=True)}
    stage.deliver.tell(effects(ring()))
    await settled(stage, EMAIL, DeliveryState.REFUSED)
    await settled(stage, "email:2", DeliveryState.REFUSED)

    assert stage.heard.said == [("lost", "ben", "email:2", DESK)]


async def test_a_lost_way_that_takes_something_works_again(stage: WaysStage) -> None:
    stage.set_ways(msgspec.structs.replace(BENS[1], lost_ms=NOW_MS - LOST_AGAIN_MS), BENS[0])
    stage.deliver.tell(effects(ring()))
    await settled(stage, "email:2", DeliveryState.SENT)

    assert stage.heard.said == [("works", "ben", "email:2", DESK)]


async def test_a_way_that_was_removed_meanwhile_is_not_told_and_the_others_are(stage: WaysStage) -> None:
    stage.by_address.outcomes = dict.fromkeys((BED, DESK), Unavailable("away"))
    stage.deliver.tell(effects(ring()))
    await until(lambda: len(stage.postbox.taken) == 2)
    stage.by_address.outcomes.clear()
    stage.set_ways(BENS[0])
    stage.advance(10_000)
    await settled(stage, EMAIL, DeliveryState.SENT)
    await settled(stage, "email:2", DeliveryState.EXPIRED)

    gone = await stage.delivery("email:2")
    assert gone is not None
    assert gone.reason == "no_address"


async def test_a_receipt_through_a_channel_proves_the_way_that_the_message_names(stage: WaysStage) -> None:
    stage.deliver.tell(effects(ring()))
    await settled(stage, "sms:3", DeliveryState.SENT)
    message = stage.sms.taken[0][0].id

    await stage.deliver.receipt(
        notification=message, person="ben", state="delivered", now_ms=NOW_MS, channel="sms"
    )
    await stage.deliver.receipt(notification=ring().id, person="ben", state="seen", now_ms=NOW_MS)
    with pytest.raises(CallerError):
        await stage.deliver.receipt(
            notification=message, person="dan", state="seen", now_ms=NOW_MS, channel="sms"
        )

    async def both_kept() -> bool:
        told = await stage.told()
        return told is not None and len(told.receipts) == 2

    await until(both_kept)
    told = await stage.told()
    assert told is not None
    assert {(one.message, one.channel, one.state.value) for one in told.receipts} == {
        (ring().id, "sms:3", "delivered"),
        (ring().id, APP, "seen"),
    }
    assert stage.heard.said == [("proven", "ben", "sms:3", "delivered")]


async def test_ways_are_counted_by_their_channel(stage: WaysStage) -> None:
    stage.deliver.tell(effects(ring()))
    for key in (EMAIL, "email:2", "sms:3"):
        await settled(stage, key, DeliveryState.SENT)

    settled_ways = {key: count for key, count in stage.deliver.figures.settled.items() if key[0] != APP}
    assert settled_ways == {(EMAIL, "sent"): 2, ("sms", "sent"): 1}
    assert stage.deliver.figures.told_people[EMAIL].count == 2


def test_a_dead_way_is_tried_once_a_day_and_at_once_where_there_is_no_other() -> None:
    alive, dead = BENS[0], ContactWay(EMAIL, 4, OLD, NOW_MS)

    def tried(*ways: ContactWay, after_ms: int) -> list[str]:
        contact = Contact("ben", "Ben", ways)
        return [way.key for way in ways_to_take(contact, {EMAIL}, NOW_MS + after_ms)]

    assert tried(alive, dead, after_ms=0) == ["email"]
    assert tried(alive, dead, after_ms=LOST_AGAIN_MS) == ["email", "email:4"]
    assert tried(dead, after_ms=0) == ["email:4"]
    assert tried(dead, BENS[2], after_ms=0) == ["email:4"], "one by a channel that is not set up is no other"


def test_a_newer_word_takes_the_place_of_an_older_one_on_its_own_way_only() -> None:
    lane = Lane()

    def item(step: int, key: str) -> Item:
        told = ring(step)
        return Item(Delivery(told.id, key, DeliveryState.WAITING, 0, NOW_MS), told)

    assert lane.put(item(0, "sms")) is None
    assert lane.put(item(0, "sms:2")) is None
    assert lane.put(item(1, "sms")) == item(0, "sms")

    waiting = {lane.take(NOW_MS), lane.take(NOW_MS)}
    assert waiting == {item(1, "sms"), item(0, "sms:2")}
    assert lane.take(NOW_MS) is None


def test_what_comes_back_for_a_message_names_its_way() -> None:
    for channel, number in (("sms", 1), ("sms", 2), ("email", 137)):
        key = key_of(channel, number)
        assert (channel_of(key), number_of(key)) == (channel, number)
        assert told_by(message_id(ring().id, key)) == (ring().id, number)
    for strange in ("", "a-b", "a--2", "a-\N{ARABIC-INDIC DIGIT TWO}", f"a-{10**12}"):
        assert told_by(strange) == (strange, 1)

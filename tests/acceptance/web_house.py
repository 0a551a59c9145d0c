"""A whole house in one process, with real services on stores in memory, and the cast living in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import httpx
import uvicorn
from argon2 import PasswordHasher

from nightbell.account.person import Person
from nightbell.account.service import Accounts
from nightbell.account.way_service import Ways
from nightbell.adapters.channels.email import letter as email
from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.web_push import subscription as web_push
from nightbell.adapters.channels.web_push.channel import WebPushChannel
from nightbell.adapters.channels.webhook import address as webhook
from nightbell.adapters.channels.webhook.channel import WebhookChannel
from nightbell.adapters.dialects.share.dialect import ShareDialect
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.adapters.stores.looks.gathered import GatheredLooks
from nightbell.adapters.stores.memory.accounts import (
    MemoryAccountStore,
    MemoryFollowStore,
    MemoryKeyFolder,
    MemoryLookStore,
    MemoryWayStore,
)
from nightbell.adapters.stores.memory.history import MemoryHistoryDisk, MemoryHistoryStore
from nightbell.adapters.stores.memory.journal import MemoryJournalStore
from nightbell.adapters.stores.memory.ledger import MemoryLedger
from nightbell.alarm.effects import AlarmView, Effects
from nightbell.alarm.service import Evaluation
from nightbell.answer.service import Answers
from nightbell.app.channel_addresses import FITS as EVERY_FITS
from nightbell.app.voices import ProviderVoices
from nightbell.app.wiring import (
    AccountContacts,
    AccountFacts,
    FollowFacts,
    ShareHistory,
    WatchedSharers,
    clock_facts,
)
from nightbell.deliver.afterwards import Voices
from nightbell.deliver.hub import Hub
from nightbell.deliver.service import Deliver
from nightbell.follow.access import Access
from nightbell.follow.follow import Follow
from nightbell.follow.service import Follows, NewFollow
from nightbell.history.service import History
from nightbell.journal.facts import DoorOpened
from nightbell.journal.service import Journal
from nightbell.publish.native import NativeDoor
from nightbell.publish.service import Publish
from nightbell.tell.channel import Channel, Checklist, Proof
from nightbell.web.build import build_app
from nightbell.web.front import Front
from nightbell.web.ports import House, Place
from nightbell.web.stream import Stream
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock

PASSWORD: Final = "a long pass phrase"
MINUTE_MS: Final = 60_000
WAIT_S: Final = 10.0

Found = TypeVar("Found")


def is_number(text: str) -> bool:
    """A phone number as channels to phones write it (E.164)."""
    return text.startswith("+") and text[1:].isdecimal() and 8 <= len(text) <= 16


FITS: Final = {
    "email": email.is_address,
    "web_push": web_push.is_address,
    "webhook": webhook.is_address,
    "sms": is_number,
}
GOOD_FOR: Final = {
    "email": EmailChannel.checklist,
    "webhook": WebhookChannel.checklist,
    "web_push": WebPushChannel.checklist,
    "sms": Checklist(
        proof=Proof.DELIVERED,
        duplicates_merge=False,
        may_wake=True,
        at_most_per_minute=0,
        promise="deliver.promise_sms",
    ),
}
"""The channels that are set up in this house; the one to phones stands for all that can prove something."""


class NoCheckpoints:
    """A house in memory keeps none."""

    async def newest(self) -> Sequence[bytes] | None:
        """There is never one."""
        return None

    async def keep(self, parts: Sequence[bytes]) -> None:
        """Let it go."""


class Later:
    """Hands effects to `Deliver`, which is made after `Evaluation`."""

    deliver: Deliver

    def tell(self, effects: Effects) -> None:
        """Pass on."""
        self.deliver.tell(effects)

    @property
    def written_seq(self) -> int:
        """What the ledger holds."""
        return self.deliver.written_seq


class People(NamedTuple):
    """The cast: Ana shares; Ben follows and is told; Cleo sees the number only; Dan must see nothing."""

    ana: Person
    ben: Person
    cleo: Person
    dan: Person


class WebHouse:
    """Everything, wired as `app` wires it."""

    def __init__(
        self,
        clock: Clock,
        *,
        tls: bool = False,
        public_url: str = "http://bell.test",
        channels: Sequence[Channel] = (),
        push_key: str = "",
    ) -> None:
        self.clock = clock
        self.journal = Journal(MemoryJournalStore(), clock)
        quick = PasswordPool(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.accounts = Accounts(MemoryAccountStore(), MemoryKeyFolder(), AccountFacts(self.journal), quick)
        self.follows = Follows(MemoryFollowStore(), FollowFacts(self.journal, self._refresh), self.accounts)
        self.access = Access(self.accounts, self.follows, GatheredLooks(MemoryLookStore()))
        self.history_disk = MemoryHistoryDisk()
        self.history = History(MemoryHistoryStore(self.history_disk), clock)
        self.publish = Publish(self.journal, clock_learned=clock_facts(self.journal))
        self.later = Later()
        self.evaluation = Evaluation(self.later, NoCheckpoints())
        self.way_store = MemoryWayStore()
        theirs = {
            channel.name: EVERY_FITS[channel.name] for channel in channels if channel.name in EVERY_FITS
        }
        self.ways = Ways(self.way_store, self.accounts, {**FITS, **theirs})
        contacts = AccountContacts(self.accounts, self.ways, self.follows, self.publish)
        watched = WatchedSharers(self.accounts, self.follows, self.access, self.history, self.evaluation)
        self.hub = Hub(
            access=self.access, watched=watched, contacts=contacts, build="test", boot_ms=clock.now_ms()
        )
        self.answers = Answers(self.journal, self.evaluation, self.access, self.follows)
        voices = ProviderVoices(self.answers, self.evaluation, clock)
        self.deliver = Deliver(
            ledger=MemoryLedger(),
            hub=self.hub,
            contacts=contacts,
            channels=channels,
            clock=clock,
            way_news=self.ways,
            voices=Voices(voices.answered, voices.passed_on),
        )
        self.later.deliver = self.deliver
        self.place = Place(public_url=public_url, tls=tls, channels=dict(GOOD_FOR), push_key=push_key)
        self.app = self._app()

    def _refresh(self, number: int) -> None:
        follow = self.follows.numbered(number)
        if follow is not None:
            self.hub.refresh(follow.follower)

    def _app(self) -> Front:
        words = catalogue()
        share = ShareDialect(
            self.accounts.share, self.publish, ShareHistory(self.accounts, self.access, self.history)
        )
        return build_app(
            House(
                accounts=self.accounts,
                ways=self.ways,
                follows=self.follows,
                access=self.access,
                history=self.history,
                evaluation=self.evaluation,
                answers=self.answers,
                deliver=self.deliver,
                board=self.hub.board,
                door=NativeDoor(
                    self.publish,
                    identify=self.accounts.identify,
                    uploader=self.accounts.uploader,
                    words=words,
                ).offer,
                share=share.handle,
                stream=Stream(
                    self.hub, identify=self.accounts.identify, access=self.access, clock=self.clock
                ),
                clock=self.clock,
                words=words,
                place=self.place,
                webhook_secret=lambda person: f"nbs_{person}",
                callback=self.deliver.afterwards.callback,
            )
        )

    async def start(self) -> None:
        """Open everything, in the platform's order."""
        await self.accounts.start()
        await self.ways.start()
        await self.follows.start()
        told = await self.deliver.start()
        await self.evaluation.load(written_seq=told.upto_seq)
        await self.history.start()
        await self.journal.start()
        await self.evaluation.start(self.journal)
        for consume in (
            self.publish.consume,
            self.history.consume,
            self.hub.consume,
            self.evaluation.consume,
        ):
            self.journal.subscribe(consume)
        self.journal.begin()
        await self.journal.append_fact(DoorOpened(self.clock.now_ms()))

    async def close(self) -> None:
        """Stop everything."""
        self.hub.close_all()
        await self.journal.close()
        await self.evaluation.close()
        await self.deliver.close()
        await self.history.close()
        self.accounts.close()

    async def add(self, name: str, *, shares: bool = False, email: str = "") -> Person:
        """Somebody with the password of all."""
        now_ms = self.clock.now_ms()
        person = await self.accounts.add_person(
            name=name, password=PASSWORD, email=email, zone="Europe/Lisbon", now_ms=now_ms
        )
        return await self.accounts.make_sharer(person.id, now_ms) if shares else person

    async def follow(
        self, sharer: Person, follower: Person, *, graph: bool = True, told: bool = True
    ) -> Follow:
        """A confirmed follow."""
        wanted = NewFollow(sharer.id, follower.id, may_see_graph=graph, may_be_told=told)
        [follow] = await self.follows.add_many([wanted], self.clock.now_ms())
        return follow

    async def cast(self) -> People:
        """Ana, Ben, Cleo and Dan."""
        ana = await self.add("Ana", shares=True)
        ben = await self.add("Ben", email="ben@example.org")
        cleo, dan = await self.add("Cleo"), await self.add("Dan")
        await self.follow(ana, ben)
        await self.follow(ana, cleo, graph=False, told=False)
        return People(ana, ben, cleo, dan)

    def client(self, bearer: str = "", *, cookie: str = "") -> httpx.AsyncClient:
        """Somebody's client, spoken to without a socket."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        cookies = {"nightbell_grant": cookie} if cookie else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://bell.test",
            headers=headers,
            cookies=cookies,
        )

    async def grant(self, person: Person) -> str:
        """A grant of this person's device."""
        signed_in = await self.accounts.sign_in(
            name=person.name, password=PASSWORD, device="test", peer="", now_ms=self.clock.now_ms()
        )
        return signed_in.token

    async def as_person(self, person: Person) -> httpx.AsyncClient:
        """This person's client."""
        return self.client(await self.grant(person))

    async def publish_levels(self, person: Person, levels: list[int], *, newest_age_ms: int = 0) -> None:
        """Readings five minutes apart, the newest so old, through the real door, and evaluated."""
        key = await self.accounts.add_key(
            person_id=person.id, scope="publish", label="test", now_ms=self.clock.now_ms()
        )
        newest_ms = self.clock.now_ms() - newest_age_ms
        readings = [
            {"measured_at": newest_ms - 5 * MINUTE_MS * back, "glucose_mgdl": level}
            for back, level in enumerate(reversed(levels))
        ]
        async with self.client(key.secret) as door:
            answer = await door.post("/v1/readings", json={"readings": readings})
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(levels), answer.text
        await self.accounts.revoke_key(key_id=key.id, now_ms=self.clock.now_ms())
        await self.evaluation.caught_up()

    async def ringing(self, person: Person) -> AlarmView:
        """The alarm of this person that rings, once the one who follows was told."""
        return await self.eventually(
            lambda: next(
                (alarm for alarm in self.hub.board.open_alarms(person.sharer) if alarm.state == "ringing"),
                None,
            )
        )

    async def breathe(self) -> None:
        """Let the house go on for a moment; for loops that wait for what it stores."""
        await asyncio.sleep(0.01)

    async def eventually(self, look: Callable[[], Found | None]) -> Found:
        """Wait for something that the house does by itself."""
        async with asyncio.timeout(WAIT_S):
            while (found := look()) is None:
                await asyncio.sleep(0.01)
        return found


@contextlib.asynccontextmanager
async def open_web_house(
    clock: Clock,
    *,
    tls: bool = False,
    public_url: str = "http://bell.test",
    channels: Sequence[Channel] = (),
    push_key: str = "",
) -> AsyncIterator[WebHouse]:
    """A started house, closed afterwards."""
    house = WebHouse(clock, tls=tls, public_url=public_url, channels=channels, push_key=push_key)
    await house.start()
    try:
        yield house
    finally:
        await house.close()


@contextlib.asynccontextmanager
async def served(house: WebHouse, *, port: int = 0) -> AsyncIterator[str]:
    """The house behind a real server; the address."""
    config = uvicorn.Config(
        house.app, host="127.0.0.1", port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        house.hub.close_all()
        await task

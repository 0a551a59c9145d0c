"""The platform: every room with its adapters, started in the order in which they need each other.

`start` is one straight line on purpose: the order is the design. First who is who, then what the ledger, the
checkpoint and history remember, then the journal, which fills up what they miss, then the door; and only when
that was seen to answer is "the door is open" journaled.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog

from nightbell.account.person import Person
from nightbell.account.service import Accounts
from nightbell.account.way_service import Ways
from nightbell.adapters.dialects.share.dialect import ShareDialect
from nightbell.adapters.passwords.pool import PasswordPool
from nightbell.adapters.stores.checkpoint.store import FileCheckpoints
from nightbell.adapters.stores.files.keys import FileKeyFolder
from nightbell.adapters.stores.files.secret import kept_secret
from nightbell.adapters.stores.looks.gathered import GatheredLooks
from nightbell.adapters.stores.sqlite.accounts import AccountsFile, SqliteAccountStore
from nightbell.adapters.stores.sqlite.accounts_follows import SqliteFollowStore, SqliteLookStore
from nightbell.adapters.stores.sqlite.accounts_ways import SqliteWayStore
from nightbell.adapters.stores.sqlite.history import SqliteHistoryStore
from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.adapters.stores.sqlite.ledger import SqliteLedger
from nightbell.alarm.service import Evaluation
from nightbell.answer.service import Answers
from nightbell.app.backup_commands import BackupCommands
from nightbell.app.channels import Channels
from nightbell.app.control import ControlServer
from nightbell.app.control_commands import ControlCommands
from nightbell.app.control_words import Health
from nightbell.app.metrics.page import Numbers
from nightbell.app.metrics.read import Rooms
from nightbell.app.metrics.server import MetricsServer
from nightbell.app.pairing import ROSTER_PATH, canary_sharers, make_pairing, roster_handler, roster_of
from nightbell.app.server import Server, doors, listening, make_server, prove_open, quick_way
from nightbell.app.settings import FILE_NAME, Settings
from nightbell.app.settings_kinds import split_address
from nightbell.app.switches import SwitchBoard, SwitchedHistory, SwitchedPasswords, SwitchFile
from nightbell.app.tls import TlsFiles
from nightbell.app.voices import ProviderVoices
from nightbell.app.watcher_health import watcher_failing
from nightbell.app.wiring import (
    AccountContacts,
    AccountFacts,
    CallbackProofs,
    FollowFacts,
    Later,
    ShareHistory,
    WatchedSharers,
    WebhookSecrets,
    clock_facts,
    known_facts,
    lane_limits,
    remembered,
    taking_over_accounts,
)
from nightbell.deliver.afterwards import DEAF
from nightbell.deliver.hub import Hub
from nightbell.deliver.service import Deliver
from nightbell.deliver.settings import DeliverSettings
from nightbell.follow.access import Access
from nightbell.follow.service import Follows
from nightbell.history.service import History
from nightbell.journal.facts import DoorOpened
from nightbell.journal.recovery import recovery_sentences
from nightbell.journal.service import Journal
from nightbell.load.gate import Load
from nightbell.load.service import Admission
from nightbell.publish.native import NativeDoor
from nightbell.publish.reading import Reading
from nightbell.publish.service import Publish
from nightbell.watch.roster import Roster
from nightbell.web.build import build_app
from nightbell.web.ports import House, Place
from nightbell.web.stream import Stream
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock, SystemClock
from nightbell.words.errors import NightbellError

TEND_EVERY_S: Final = 60.0
WELL_MS_MAX: Final = 5_000
"""An evaluated tick older than this means that alarms are not being decided."""

_log = structlog.get_logger()


class Platform:
    """One running platform on one data directory."""

    def __init__(
        self, folder: Path, settings: Settings, *, tls: TlsFiles | None, clock: Clock | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.clock = clock or SystemClock()
        self._tls = tls
        self._words = catalogue()
        self.switches = SwitchBoard(settings.switches, self._words)
        self._tasks: list[asyncio.Task[None]] = []
        self._watcher_failing = ""
        self._canaries: frozenset[int] = frozenset()
        self._open = False
        self._build()

    def _build(self) -> None:
        """Make every room. Nothing is opened yet."""
        folder, settings, clock = self.folder, self.settings, self.clock
        self.journal = Journal(
            SqliteJournalStore(folder / "journal"),
            clock,
            limits=lane_limits(settings),
            keep_days=settings.journal_days,
        )
        self.admission = Admission(clock)
        self._passwords = PasswordPool()
        self._file = AccountsFile(folder / "accounts.sqlite")
        self.accounts = Accounts(
            SqliteAccountStore(self._file),
            FileKeyFolder(folder / "keys"),
            AccountFacts(self.journal),
            SwitchedPasswords(self._passwords, self.switches),
            admission=self.admission,
        )
        self.follows = Follows(
            SqliteFollowStore(self._file), FollowFacts(self.journal, self._refresh), self.accounts
        )
        self._looks = GatheredLooks(SqliteLookStore(self._file))
        self.access = Access(self.accounts, self.follows, self._looks)
        self.history = History(
            SqliteHistoryStore(folder / "history.sqlite"),
            clock,
            keep_days=settings.history_days,
            admission=self.admission,
        )
        self.publish = Publish(
            self.journal,
            clock_learned=clock_facts(self.journal),
            may_backfill=self.switches.may_backfill,
            admission=self.admission,
            late_again_s=self.journal.backfill_again_s,
        )
        self.shown_history = SwitchedHistory(self.history, self.switches)

    def _build_rest(self, port: int) -> None:
        """What needs to know where we answer."""
        secret = kept_secret(self.folder / "keys" / "webhook")
        self.webhook_secrets = WebhookSecrets(secret)
        self.url = self.settings.public_url or self._own_url(port)
        self.channels = Channels(
            self.settings,
            self.clock,
            self.webhook_secrets.of,
            CallbackProofs(secret),
            url=self.url,
            keys=self.folder / "keys",
        )
        self.ways = Ways(SqliteWayStore(self._file), self.accounts, self.channels.fits)
        contacts = AccountContacts(self.accounts, self.ways, self.follows, self.publish)
        self.evaluation = Evaluation(Later(lambda: self.deliver), FileCheckpoints(self.folder / "checkpoint"))
        watched = WatchedSharers(self.accounts, self.follows, self.access, self.history, self.evaluation)
        self.hub = Hub(
            access=self.access,
            watched=watched,
            contacts=contacts,
            build=metadata.version("nightbell"),
            boot_ms=self.clock.now_ms(),
            link=self.url,
        )
        self.answers = Answers(self.journal, self.evaluation, self.access, self.follows)
        voices = ProviderVoices(self.answers, self.evaluation, self.clock)
        self.deliver = Deliver(
            ledger=SqliteLedger(self.folder / "ledger.sqlite"),
            hub=self.hub,
            contacts=contacts,
            channels=self.channels.all,
            clock=self.clock,
            settings=DeliverSettings(link=self.url),
            canary=lambda sharer: sharer in self._canaries,
            voices=DEAF._replace(answered=voices.answered, passed_on=voices.passed_on),
            way_news=self.ways,
        )
        self.numbers = Numbers(self._rooms(), self.folder, self.clock)
        address = split_address(self.settings.metrics_listen) if self.settings.metrics_listen else None
        self.metrics = MetricsServer(address, self.numbers.page)

    def _refresh(self, follow: int) -> None:
        """A follow changed: its follower's open screens show it at once."""
        found = self.follows.numbered(follow)
        if found is not None:
            self.hub.refresh(found.follower)

    async def _person_changed(self, person: Person, _now_ms: int) -> None:
        """Their unit or name changed: their open screens show it at once."""
        self.hub.refresh(person.id)

    def _own_url(self, port: int) -> str:
        host, _ = self.settings.address
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    async def start(self) -> None:
        """Open everything, in order.

        Raises:
            NightbellError: Something cannot be opened; the sentence says what and what to do.
            AlreadyRunningError: Another platform runs on this folder.
            OSError: The address cannot be had.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        host, port = self.settings.address
        self._socket = listening(host, port)
        self.port = int(self._socket.getsockname()[1])
        self._build_rest(self.port)
        self.commands = self._commands()
        backup = BackupCommands(self._file, lambda: self._open)
        registry = {**self.commands.registry(), **backup.registry()}
        self._control = ControlServer(self.folder, registry, lambda: self._open)
        await self._control.start()
        await self._file.start()
        await self.accounts.read()
        self.ways.read()
        self.follows.read()  # in the file's own thread, while we take over what is read already
        with taking_over_accounts():
            await self.accounts.start()
            await self.ways.start()
        told = await self.deliver.open()
        folded_upto = await self.evaluation.load(written_seq=told.upto_seq)
        replay_after = await self.history.start()
        await self.journal.start(seen_seq=max(folded_upto, told.upto_seq, self.history.seen_seq()))
        self.history.restore(remembered(self.journal.replay(replay_after, facts=False), self.publish))
        with taking_over_accounts():
            await self.follows.start()
        self.accounts.subscribe(self._person_changed)
        await self.deliver.start()  # it asks the follows who may be told
        whole = self.journal.recovery().first_seq <= 1
        await self.evaluation.start(
            self.journal, None if whole else lambda: known_facts(self.accounts, self.follows)
        )
        unkept = self.evaluation.reconcile(told.open_alarms, self.clock.now_ms())
        for sentence in recovery_sentences(self.journal.recovery(), self._words):
            _log.warning("journal.recovered", what=sentence)
        for (_, source), offset_ms in self.evaluation.clock_offsets().items():
            self.publish.restore_clock(source, offset_ms)
        self.journal.hold(lambda: min(self.evaluation.upto_seq, self.history.flushed_seq()))
        self.history.reads_again(self.journal.again)
        for consume in (
            self.publish.consume,
            self.history.consume,
            self.hub.consume,
            self.evaluation.consume,
            self.numbers.ages.consume,
        ):
            self.journal.subscribe(consume)
        self.journal.pause_backfill(lambda: self.evaluation.behind or self.history.behind)
        # What a crash left between the accounts and the journal is healed before anybody can add to it.
        await self._try_to(lambda now_ms: self.accounts.reconcile(self.evaluation.known_sharers(), now_ms))
        await self._try_to(lambda now_ms: self.follows.reconcile(self.evaluation.known_follows(), now_ms))
        await self._try_to(lambda _: self._keep_at_last(unkept))
        await self._open_door(host)
        self._tasks.append(asyncio.create_task(self._tend(), name="tend"))
        self._tasks.append(asyncio.create_task(self.metrics.run(), name="metrics"))

    async def _open_door(self, host: str) -> None:
        """Serve, see that the door answers, and only then say that it is open."""
        now_ms = self.clock.now_ms()
        pairing = await make_pairing(
            accounts=self.accounts,
            follows=self.follows,
            folder=self.folder / "watcher",
            base_url=self._own_url(self.port),
            now_ms=now_ms,
            canaries=self.settings.canary,
            tls_ca_file=str(self._tls.certificate) if self._tls else "",
            tls_name=self._tls.names[0] if self._tls and self._tls.names else "",
        )
        self._canaries = canary_sharers(self.accounts)
        self.admission.spare(frozenset(canary.sharer for canary in pairing.canaries))
        house = self._house()
        app = build_app(house)
        app.mount(ROSTER_PATH, roster_handler(key=pairing.roster_key, roster=self._roster))
        self._server = make_server(app, self._tls, quick=quick_way(house.door, self.clock))
        self._tasks.append(asyncio.create_task(self._serve(self._server, self._socket), name="serve"))
        await prove_open(host, self.port, tls=self._tls is not None)
        # Before the first tick: one that came sooner would take our own silence for everybody's. A disk that
        # refuses now must not keep the bell from ringing: then it counts from memory, and health says why.
        await self._try_to(self._mark_open)
        self.journal.begin()
        self.deliver.listen()
        self._open = True
        self.admission.start(self._load)
        _log.info("door.opened", port=self.port)

    def _house(self) -> House:
        return House(
            accounts=self.accounts,
            ways=self.ways,
            follows=self.follows,
            access=self.access,
            history=self.shown_history,
            evaluation=self.evaluation,
            answers=self.answers,
            deliver=self.deliver,
            board=self.hub.board,
            door=NativeDoor(
                self.publish,
                identify=self.accounts.identify,
                uploader=self.accounts.uploader,
                words=self._words,
                admission=self.admission,
                clock=self.clock,
            ).offer,
            share=ShareDialect(
                self.accounts.share,
                self.publish,
                ShareHistory(self.accounts, self.access, self.shown_history),
                admission=self.admission,
            ).handle,
            stream=Stream(
                self.hub,
                identify=self.accounts.identify,
                access=self.access,
                clock=self.clock,
                admission=self.admission,
            ),
            clock=self.clock,
            words=self._words,
            place=Place(
                public_url=self.url,
                tls=self._tls is not None or self.url.startswith("https:"),
                channels=self.channels.good_for,
                push_key=self.channels.push_key,
            ),
            webhook_secret=self.webhook_secrets.of,
            admission=self.admission,
            passwords_full_s=lambda: self._passwords.full_s,
            callback=self.deliver.afterwards.callback,
        )

    def _load(self) -> Load:
        """What was measured in the last second; evaluation that has not begun says nothing."""
        tick_ms = self.evaluation.evaluated_tick_ms
        age_ms = self.clock.now_ms() - tick_ms if tick_ms else None
        return self.journal.load()._replace(tick_age_ms=age_ms)

    def _commands(self) -> ControlCommands:
        return ControlCommands(
            accounts=self.accounts,
            follows=self.follows,
            history=self.history,
            health=self.health,
            status=self.numbers.first_page,
            link=lambda secret: f"{self.url}/invitation#{secret}",
            history_days=self.settings.history_days,
            clock=self.clock,
        )

    def _rooms(self) -> Rooms:
        return Rooms(
            admission=self.admission,
            journal=self.journal,
            publish=self.publish,
            history=self.history,
            evaluation=self.evaluation,
            deliver=self.deliver,
            hub=self.hub,
            accounts=self.accounts,
            follows=self.follows,
            canaries=lambda: self._canaries,
            failing=self.failing,
            build=metadata.version("nightbell"),
        )

    async def _mark_open(self, now_ms: int) -> None:
        await self.journal.append_fact(DoorOpened(now_ms))

    async def _keep_at_last(self, readings: Sequence[Reading]) -> None:
        """Journal what rang once and was never kept. Where that fails again, it rings again all the same."""
        if readings:
            _log.warning("journal.kept_at_last", readings=len(readings))
            await self.journal.append(live=readings, backfill=())

    async def _roster(self, now_ms: int) -> Roster:
        return await roster_of(
            accounts=self.accounts,
            follows=self.follows,
            last_reading_ms=lambda sharer: self.evaluation.state_of(sharer).measured_ms,
            open_alarms=self.evaluation.open_alarms,
            now_ms=now_ms,
        )

    async def _serve(self, server: Server, door: socket.socket) -> None:
        await server.serve(sockets=doors(door))

    async def _tend(self) -> None:
        """What wants doing once a minute."""
        while True:
            await asyncio.sleep(TEND_EVERY_S)
            self._watcher_failing = watcher_failing(self.folder / "watcher", self.clock.now_ms(), self._words)
            for tend in (self.accounts.tend, self.ways.tend, self.follows.tend, self.access.tend):
                await self._try_to(tend)

    async def _try_to(self, work: Callable[[int], object]) -> None:
        try:
            result = work(self.clock.now_ms())
            if asyncio.iscoroutine(result):
                await result
        except NightbellError as error:
            _log.warning("tending.failed", code=error.code)

    def failing(self) -> dict[str, str]:
        """What is wrong and what to do, by part; empty where all is well."""
        say, untold = self._words.say, self.follows.untold
        return {
            "journal": self.journal.health().failing,
            "history": self.history.health().failing,
            "outbox": self.deliver.health().failing,
            "accounts": self.accounts.failing or self._file.seal.failing,
            "watcher": self._watcher_failing,
            "follows": say("platform.untold", follows=untold) if untold else "",
            "evaluation": "" if self.is_deciding() else say("platform.not_evaluating"),
            "set_aside": say("platform.set_aside") if self.evaluation.set_aside else "",
            "metrics": self.metrics.failing,
            "settings": self.switches.failing,
        }

    def follow_settings(self, read: Callable[[], Settings]) -> None:
        """Turn the switches as the settings file says, while it runs."""
        file = SwitchFile(self.folder / FILE_NAME, read, self.switches, self._words)
        self._tasks.append(asyncio.create_task(file.run(), name="switches"))

    def health(self) -> Health:
        """How the platform is."""
        journal = self.journal.health()
        said = " ".join(sentence for sentence in self.failing().values() if sentence)
        return Health(
            well=not said,
            url=self.url,
            last_seq=journal.last_seq,
            live_waiting=journal.live,
            backfill_waiting=journal.backfill,
            evaluated_tick_ms=self.evaluation.evaluated_tick_ms,
            failing=said,
            switched_off=self.switches.off(),
            turned_away=self.admission.turned_away(),
        )

    def is_deciding(self) -> bool:
        """Whether alarms are being decided now."""
        return self.clock.now_ms() - self.evaluation.evaluated_tick_ms <= WELL_MS_MAX

    async def until_broken(self) -> None:
        """Wait until something that must run for ever ends."""
        broken = self.deliver.broken
        waiting = [*self._tasks, *self.evaluation.tasks, *([broken] if broken else [])]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def close(self) -> None:
        """Stop taking, finish what is under way, write it down, close."""
        self.admission.close()
        self.hub.close_all()
        self._server.should_exit = True
        for task in self._tasks:
            if task.get_name() != "serve":
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._control.close()
        await self.journal.close()
        await self.evaluation.close()
        await self.deliver.close()
        await self.evaluation.keep_checkpoint()
        await self.channels.close()
        await self._try_to(self.ways.tend)
        await self.history.close()
        await self._looks.close()
        self.accounts.close()
        await self._file.close()

"""Files that were damaged while nothing ran, each alone.

What is promised, and checked by the checker as after every other fault:

- **checkpoint**: it starts, and nothing at all is lost.
- **ledger**: it starts. If alarms cannot be written down, it says so and what to do; once that is done (start
  it again), all of the ledger is made again from the journal, and nothing at all is lost.
- **history**: it starts. If a graph cannot be shown, it says so and what to do; once that is done (move the
  file away, start it again), the journal brings all of it back. Rows of history carry no checksum, so a
  graph may show garbage until then: this is not checked.
- **accounts**: it starts, or it refuses and says what to do. Once the file of before is put back, as
  `nightbell restore` does, it starts, and nothing at all is lost.
- **journal**: it starts. Readings may be gone from the journal only if their record needs a page that the
  damage touched: its own pages, or those on the way to it. If they were live and their block of three hours
  was still open, they are gone from graphs too, and else they are shown. Every alarm and notification of
  before is there. As soon as the platform reads such a page (at the start, if there is no checkpoint), it
  says so.

In each case it takes readings again, and a new low rings.
"""

import asyncio
import random
import signal
from pathlib import Path
from typing import Final

import msgspec

from nightbell.journal.packing import Damaged, decode
from tests.faults.checker import Verdict, readings_of, segments_of
from tests.faults.disks import DOES
from tests.faults.load import Load, loaded, never_left
from tests.faults.outcome import Outcome, Size, of
from tests.faults.pages import Pages
from tests.faults.record import Harmed, now_ms

FILES: Final = ("journal", "journal-read", "history.sqlite", "ledger.sqlite", "accounts.sqlite", "checkpoint")
"""`journal-read` is the journal with the checkpoint taken away, so that all of it is read at the start."""

BESIDE: Final = 3
"""How many damaged houses are started side by side: a start is mostly one core's work."""

SAID: Final = b"journal.recovered"
LIVES_S: Final = 1.5


async def damaged(size: Size, folder: Path, seed: int) -> Outcome:
    """Each file alone is damaged while nothing runs: see above."""
    chance = random.Random(seed)
    verdicts: list[Verdict] = []
    broken: list[str] = []
    refused = 0
    async with loaded(folder / "base", sharers=60, phones=4, seed=seed) as base:
        await asyncio.sleep(3)
        await base.leave()
    gate = asyncio.Semaphore(BESIDE)

    async def one(number: int, name: str, seed: int) -> None:
        nonlocal refused
        async with gate:
            trial = Trial(base.copied(folder / f"{number}-{name.partition('.')[0]}"), name)
            async with never_left(trial.load):
                try:
                    verdicts.append(await trial.run(random.Random(seed), base.data))
                except Exception as error:  # noqa: BLE001 the other files are still tried
                    trial.broken.append(f"{type(error).__name__}: {error}")
            broken.extend(f"{number}-{name} at {trial.where}: {why}" for why in trial.broken)
            refused += trial.refused

    trials = [(number, name, chance.randrange(2**32)) for number in range(size.damages) for name in FILES]
    await asyncio.gather(*(one(*trial) for trial in trials))
    excused = sum(verdict.excused for verdict in verdicts)
    did = (
        f"{len(trials)} damages: {len(trials) - refused} started, {refused} refused and said what to do; "
        f"{excused} readings lay in damaged parts"
    )
    figures: dict[str, float] = {"started": len(trials) - refused, "refused": refused, "excused": excused}
    return of(did, verdicts, figures, *broken)


class Trial:
    """One damaged file of one house."""

    def __init__(self, load: Load, name: str) -> None:
        self.load = load
        self.broken: list[str] = []
        self.refused = False
        self.where = ""
        self._name = name

    async def run(self, chance: random.Random, whole: Path) -> Verdict:
        """Damage, start, let phones speak, and have all of it judged."""
        load = self.load
        harmed = self._damage(chance)
        load.note(f"damaged: {self._name} at {self.where}")
        try:
            await load.platform.start()
        except AssertionError as error:
            self._see_refusal(str(error))
            self._put_back(whole)
            await load.platform.start()
        load.speak()
        await asyncio.sleep(LIVES_S)
        if self._name in {"history.sqlite", "ledger.sqlite"}:
            await self._do_as_told()
        await load.leave()
        self._see_said(harmed=harmed)
        verdict = await load.judged()
        self.broken += verdict.violations  # with the name of the file before each
        return msgspec.structs.replace(verdict, violations=())

    async def _do_as_told(self) -> None:
        """See that it said what is wrong, do what it says, and have it go on."""
        load = self.load
        await load.settle(may_fail=True)
        failing = load.health().failing
        if load.unshown and "history" not in failing:
            self.broken.append(f"{load.unshown} graphs cannot be shown, and health says: {failing}")
        if failing and not DOES.search(failing):
            self.broken.append(f"health does not say what to do: {failing}")
        port = load.platform.port
        await load.platform.kill(signal.SIGTERM)
        if self._name == "history.sqlite":
            self._take_away()
        await load.platform.start(port)

    def _take_away(self) -> None:
        for path in self.load.data.glob("history.sqlite*"):
            path.unlink()

    def _put_back(self, whole: Path) -> None:
        for path in whole.glob(f"{self._name}*"):
            (self.load.data / path.name).write_bytes(path.read_bytes())

    def _see_refusal(self, said: str) -> None:
        self.refused = True
        if self._name != "accounts.sqlite":
            self.broken.append(f"it does not start: {said[-300:]}")
        elif not DOES.search(said) and "restore" not in said:
            self.broken.append(f"it does not say what to do: {said[-300:]}")

    def _see_said(self, *, harmed: bool) -> None:
        said = any(SAID in line for line in self.load.platform.said)
        aside = any((self.load.data / "journal" / "damaged").iterdir())
        if self._name == "journal-read" and harmed and not said:
            self.broken.append("records cannot be read, and nothing is said of it")
        if aside and not said:
            self.broken.append("a file was set aside without a word")

    def _damage(self, chance: random.Random) -> bool:
        """Garbage over a part of the file, as a failing disk leaves it; whether records lay there."""
        load, harmed = self.load, False
        if self._name == "journal-read":
            (load.data / "checkpoint" / "fold").unlink()
        target = load.data / self._name.removesuffix("-read")
        paths = [target] if target.is_file() else sorted(target.glob("*.sqlite")) or sorted(target.iterdir())
        for path in paths:
            size = path.stat().st_size
            start = chance.randrange(0, size)
            length = min(size - start, chance.choice((512, 4096, 65536)))
            self.where += f"{path.name} {start}+{length} of {size} "
            if self._name.startswith("journal"):
                harmed |= self._note_harm(path, start, length)
            with path.open("r+b") as file:
                file.seek(start)
                file.write(chance.randbytes(length))
        return harmed

    def _note_harm(self, path: Path, start: int, length: int) -> bool:
        """Write into the history what cannot be read without these bytes; whether that is anything."""
        pages = Pages(path)
        gone = pages.touched(start, length)
        rows = dict(pages.rows("record"))
        seqs = [seq for seq, needs in rows.items() if needs & gone]
        if pages.of_table("segment") & gone:
            seqs = [0, *rows]
        packed = next(rows for _, name, rows, _ in segments_of(path.parent) if name == path.name)
        groups = [decode(content) for seq, content in packed if seq in set(seqs)]
        readings = [
            reading for group in groups if not isinstance(group, Damaged) for reading in readings_of(group)
        ]
        self.load.recorder.write(Harmed(now_ms(), tuple(seqs), tuple(readings)))
        return bool(seqs)

"""No acknowledgement without durability, whatever fails: the disk, a system call, or the process."""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.group import VOLATILE_SEQ
from nightbell.journal.recovery import Recovery
from tests.acceptance.tracing import STRACE, needs_strace

pytestmark = [pytest.mark.process, pytest.mark.timeout(110)]

ROOT: Final = Path(__file__).resolve().parents[2]
NOW_MS: Final = 1_795_346_306_000


class Told(NamedTuple):
    """What a child said before it ended."""

    acknowledged: list[int]
    refused: list[int]
    seen: dict[int, list[int]]
    failing: list[str]
    done: bool


def command(folder: Path, *, first: int = 0, count: int = 40, tasks: int = 1, limit: int = 0) -> list[str]:
    numbers = [str(first), str(count), str(tasks), *([str(limit)] if limit else [])]
    return [sys.executable, "-m", "tests.acceptance.journal_child", str(folder), *numbers]


def told(output: bytes) -> Told:
    whole = output[: output.rfind(b"\n") + 1].decode().splitlines()
    by_word: dict[str, list[str]] = {}
    for line in whole:
        word, _, rest = line.partition(" ")
        by_word.setdefault(word, []).append(rest)
    seen: dict[int, list[int]] = {}
    for rest in by_word.get("seen", []):
        sharer, seq = map(int, rest.split())
        seen.setdefault(sharer, []).append(seq)
    return Told(
        acknowledged=[int(rest) for rest in by_word.get("ack", [])],
        refused=[int(rest) for rest in by_word.get("no", [])],
        seen=seen,
        failing=by_word.get("failing", []),
        done="done" in by_word,
    )


def run(arguments: list[str]) -> tuple[Told, str]:
    finished = subprocess.run(arguments, cwd=ROOT, capture_output=True, check=False, timeout=60)  # noqa: S603 ours
    return told(finished.stdout), finished.stderr.decode(errors="replace")


def kept(folder: Path) -> tuple[Counter[int], Recovery]:
    """How often each sharer's reading is in the journal when it is opened again."""
    store = SqliteJournalStore(folder)
    store.open(now_ms=NOW_MS, seen_seq=0)
    sharers: Counter[int] = Counter()
    before = 0
    for group in store.replay(0):
        assert group.seq > before
        before = group.seq
        sharers.update(group.readings["sharer"].tolist())
    store.close()
    return sharers, store.recovery()


def assert_kept_what_was_promised(said: Told, folder: Path, why: str) -> None:
    held, found = kept(folder)
    lost = [sharer for sharer in said.acknowledged if held[sharer] != 1]
    assert lost == [], f"{why}: acknowledged and not there once: {lost}"
    assert found.set_aside == (), why
    assert set(said.seen) >= {*said.acknowledged, *said.refused}, f"{why}: some never reached the consumers"
    for sharer in said.refused:
        assert said.seen[sharer] == [VOLATILE_SEQ], (
            f"{why}: {sharer} was refused but seen as {said.seen[sharer]}"
        )


def assert_survived(said: Told, errors: str, why: str) -> None:
    assert said.done, f"{why}: the process ended early\n{errors[-2000:]}"
    assert len(said.acknowledged) + len(said.refused) == 40, why
    for sentence in said.failing:
        assert re.search(r"\b(Free|Check|Make|Stop)\b", sentence), (
            f"{why}: does not say what to do: {sentence}"
        )


@needs_strace
def test_no_acknowledgement_leaves_before_its_sync_has_returned(tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    said, errors = run(
        [
            str(STRACE), "-f", "-y", "-e", "trace=fdatasync,fsync,pwrite64,write", "-o", str(trace),
            *command(tmp_path / "journal"),
        ]
    )  # fmt: skip

    assert said.acknowledged == list(range(40)), errors
    written = synced = False
    acknowledged = 0
    for line in trace.read_text().splitlines():
        if "pwrite64(" in line and "sqlite-wal>" in line:
            written, synced = True, False
        elif re.search(r"f(data)?sync\(\d+<[^>]*sqlite-wal>\) += 0|f(data)?sync resumed>\) += 0", line):
            synced = written
        elif match := re.search(r'write\(1<.*"ack (\d+)', line):
            assert synced, f"acknowledgement {match[1]} left before its sync"
            written = synced = False
            acknowledged += 1
    assert acknowledged == 40


FAULTS: Final = [
    (call, error, first, step)
    for call in ("pwrite64", "fdatasync")
    for error in ("EIO", "ENOSPC", "EINTR")
    for first, step in ((9, 5), (11, 2))
] + [
    ("fdatasync", "EIO", 3, 1),
    ("pwrite64", "ENOSPC", 12, 1),
]  # fmt: skip


@needs_strace
@pytest.mark.parametrize(("call", "error", "first", "step"), FAULTS)
def test_a_failing_system_call_never_costs_an_acknowledged_reading_nor_the_process(
    call: str, error: str, first: int, step: int, tmp_path: Path
) -> None:
    why = f"every {step}. {call} from the {first}. fails with {error}"
    inject = f"inject={call}:error={error}:when={first}+{step}"

    said, errors = run(
        [
            str(STRACE), "-f", "-e", f"trace={call}", "-e", inject, "-o", str(tmp_path / "trace"),
            *command(tmp_path / "journal"),
        ]
    )  # fmt: skip

    assert "INJECTED" in (tmp_path / "trace").read_text(), f"{why}: nothing failed, so nothing was tried"
    assert_survived(said, errors, why)
    assert_kept_what_was_promised(said, tmp_path / "journal", why)
    if (call, error) == ("pwrite64", "EINTR"):
        assert said.refused == [], f"{why}: an interrupted write is repeated, not refused"


@pytest.mark.parametrize("limit", [33_000, 41_216, 50_001, 61_811])
def test_a_write_cut_short_never_costs_an_acknowledged_reading(limit: int, tmp_path: Path) -> None:
    # The kernel writes up to the limit, reports so many bytes, and refuses the rest.
    said, errors = run(command(tmp_path / "journal", limit=limit))

    assert said.refused, "nothing was cut short, so nothing was tried"
    assert said.acknowledged
    assert_survived(said, errors, f"files up to {limit} bytes")
    assert_kept_what_was_promised(said, tmp_path / "journal", f"files up to {limit} bytes")


def test_killed_at_any_instant_under_load_it_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    seed = 20191128
    chance = random.Random(seed)
    acknowledged: set[int] = set()

    for life in range(10):
        child = subprocess.Popen(  # noqa: S603 our own command
            command(tmp_path, first=life * 1_000_000, count=500_000, tasks=50),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdout is not None
        output = b""
        wanted = chance.randrange(1, 60_000)
        while len(output) < wanted:
            output += os.read(child.stdout.fileno(), chance.randrange(1, 4096))
        child.kill()
        output += child.stdout.read()
        child.wait()
        child.stdout.close()
        acknowledged.update(told(output).acknowledged)
        held, found = kept(tmp_path)
        lost = {sharer for sharer in acknowledged if held[sharer] != 1}
        assert lost == set(), (
            f"seed {seed}, life {life}: {len(lost)} acknowledged readings are gone or double"
        )
        assert found.set_aside == ()
        assert found.missing == ()

    assert len(acknowledged) > 1000

"""What only a ledger on disk can suffer: damage, a full disk, a folder that is not ours."""

import sqlite3
from pathlib import Path

import pytest

from nightbell.adapters.stores.sqlite.ledger import SqliteLedger
from nightbell.deliver.record import Batch, LedgerFault
from nightbell.words.errors import PlatformError
from tests.simulators.cast import ALARM, NOW_MS, alarm_view, entry, ring


def head(path: str) -> bytes:
    return Path(path).read_bytes()[:22]


async def test_a_damaged_ledger_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this was a ledger once" * 400)
    ledger = SqliteLedger(path)

    opened = await ledger.open(NOW_MS)
    await ledger.write(Batch(alarms=(alarm_view(),)))
    await ledger.close()

    assert opened.upto_seq == 0
    assert head(opened.set_aside) == b"this was a ledger once"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT COUNT(*) FROM alarm").fetchone() == (1,)
    connection.close()


async def test_damage_that_opening_does_not_meet_is_set_aside_by_the_next_start_as_health_says(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(path)
    await ledger.open(NOW_MS)
    entries = tuple(entry(number) for number in range(2_000))
    await ledger.write(Batch(upto_seq=5, alarms=(alarm_view(),), entries=entries))
    await ledger.close()
    with sqlite3.connect(path) as file:
        (root,) = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entry'").fetchone()
    file.close()
    garbage_over(path, (root - 1) * 4096)

    ledger = SqliteLedger(path)
    opened = await ledger.open(NOW_MS)
    with pytest.raises(PlatformError) as caught:
        await ledger.write(Batch(entries=(entry(7_000),)))
    await ledger.close()
    again = SqliteLedger(path)
    after = await again.open(NOW_MS)
    await again.write(Batch(entries=(entry(7_000),)))
    await again.close()
    third = await again_opened(path)

    assert (opened.upto_seq, opened.set_aside) == (5, "")
    assert caught.value.fields["fault"] == LedgerFault.DAMAGED
    assert after.upto_seq == 0, "all of it is told again"
    assert after.set_aside == f"{path}.damaged-{NOW_MS}"
    assert third == "", "once is enough"


def garbage_over(path: Path, start: int) -> None:
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(b"\xaa" * 4096)


async def again_opened(path: Path) -> str:
    ledger = SqliteLedger(path)
    opened = await ledger.open(NOW_MS)
    await ledger.close()
    return opened.set_aside


async def test_a_full_disk_writes_nothing_says_what_to_do_and_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.open(NOW_MS)
    assert ledger._writer is not None
    pages = ledger._writer.execute("PRAGMA page_count").fetchone()[0]
    ledger._writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    batch = Batch(
        upto_seq=5,
        alarms=(alarm_view(),),
        entries=tuple(entry(number) for number in range(2_000)),
        notifications=(ring(),),
    )

    with pytest.raises(PlatformError) as caught:
        await ledger.write(batch)
    nothing = await ledger.alarm(ALARM)
    ledger._writer.execute("PRAGMA max_page_count = 1000000")
    new = await ledger.write(batch)
    await ledger.close()

    assert caught.value.fields["fault"] == LedgerFault.DISK_FULL
    assert "disk" in caught.value.sentence
    assert nothing is None
    assert new == {ring().id}


async def test_a_write_that_breaks_in_the_middle_leaves_nothing_of_itself(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite")
    await ledger.open(NOW_MS)
    assert ledger._writer is not None
    ledger._writer.execute(
        "CREATE TEMP TRIGGER stop BEFORE INSERT ON main.notification BEGIN SELECT RAISE(FAIL, 'stop'); END"
    )

    with pytest.raises(sqlite3.IntegrityError):
        await ledger.write(Batch(alarms=(alarm_view(),), notifications=(ring(),)))
    left = await ledger.alarm(ALARM)
    ledger._writer.execute("DROP TRIGGER stop")
    new = await ledger.write(Batch(alarms=(alarm_view(),), notifications=(ring(),)))
    await ledger.close()

    assert left is None
    assert new == {ring().id}


async def test_a_folder_that_is_not_there_is_said_plainly(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "nowhere" / "ledger.sqlite")

    with pytest.raises(PlatformError) as caught:
        await ledger.open(NOW_MS)
    await ledger.close()

    assert caught.value.fields["fault"] == LedgerFault.READ_ONLY

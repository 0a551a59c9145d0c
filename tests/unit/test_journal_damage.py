"""Goal: damage to a page of the journal costs what needs that page, no more. Method: every page in turn."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.group import Group
from nightbell.publish.reading import READING_DTYPE, Reading
from tests.faults.pages import Pages

NOON_MS: Final = 1_795_348_800_000
TODAY: Final = "2026-11-22.sqlite"
GROUPS: Final = 70
LEAF: Final = 13
PAGE: Final = 4096

Garbage = Callable[[bytes, int, random.Random], bytes]


def noise(whole: bytes, page: int, chance: random.Random) -> bytes:
    """What a failing disk leaves."""
    assert whole
    assert page
    return chance.randbytes(PAGE)


def noise_behind_the_head(whole: bytes, page: int, chance: random.Random) -> bytes:
    """The page still says how many rows it has and where; nothing of that is true."""
    start = (page - 1) * PAGE
    return whole[start : start + 12] + chance.randbytes(PAGE - 12)


def a_row_that_never_was(_whole: bytes, _page: int, chance: random.Random) -> bytes:
    """A page that SQLite likes, with one row far above all others."""
    cell = bytes([4]) + bytes([0xFF] * 7) + bytes([0x7F]) + chance.randbytes(4)
    head = bytes([LEAF]) + b"\0\0" + (1).to_bytes(2) + (PAGE - len(cell)).to_bytes(2) + b"\0"
    return (head + (PAGE - len(cell)).to_bytes(2)).ljust(PAGE - len(cell), b"\0") + cell


def a_text(_whole: bytes, _page: int, _chance: random.Random) -> bytes:
    """A page that SQLite likes, whose one row holds a text that is none."""
    cell = bytes([5, 3, 3, 0, 17, 0xC3, 0x28])
    head = bytes([LEAF]) + b"\0\0" + (1).to_bytes(2) + (PAGE - len(cell)).to_bytes(2) + b"\0"
    return (head + (PAGE - len(cell)).to_bytes(2)).ljust(PAGE - len(cell), b"\0") + cell


def no_rows(_whole: bytes, _page: int, _chance: random.Random) -> bytes:
    """A page that SQLite likes, without a row."""
    return (bytes([LEAF]) + b"\0\0" + b"\0\0" + (0).to_bytes(2) + b"\0").ljust(PAGE, b"\0")


def another_page(whole: bytes, page: int, chance: random.Random) -> bytes:
    """A disk that wrote in the wrong place."""
    other = chance.choice([number for number in range(2, len(whole) // PAGE + 1) if number != page])
    return whole[(other - 1) * PAGE : other * PAGE]


def journal(folder: Path) -> tuple[bytes, dict[int, frozenset[int]]]:
    """A file of seventy groups, and which pages each needs."""
    store = SqliteJournalStore(folder)
    store.open(now_ms=NOON_MS, seen_seq=0)
    for seq in range(1, GROUPS + 1):
        rows = [Reading(1, NOON_MS - 1000, NOON_MS, 100, 4, 1)] * (seq % 7 * 9)
        store.append(Group(seq, NOON_MS, (), np.array(rows, READING_DTYPE), NOON_MS))
    store.close()
    pages = Pages(folder / TODAY)
    return (folder / TODAY).read_bytes(), dict(pages.rows("record"))


def kept_of(folder: Path) -> set[int]:
    store = SqliteJournalStore(folder)
    store.open(now_ms=NOON_MS, seen_seq=GROUPS)
    kept = {group.seq for group in store.replay(0)}
    store.close()
    return kept


@pytest.mark.parametrize(
    "garbage", [noise, noise_behind_the_head, a_row_that_never_was, a_text, no_rows, another_page]
)
def test_damage_to_one_page_costs_only_what_needs_it(tmp_path: Path, garbage: Garbage) -> None:
    first = tmp_path / "first"
    first.mkdir()
    whole, needs = journal(first)
    chance = random.Random(7)
    leaves = sorted(
        {page for pages in needs.values() for page in pages} - {1} - frozenset.intersection(*needs.values())
    )
    assert len(leaves) > 5

    for page in leaves:
        folder = tmp_path / f"{garbage.__name__}-{page}"
        folder.mkdir()
        damaged = bytearray(whole)
        damaged[(page - 1) * PAGE : page * PAGE] = garbage(whole, page, chance)
        (folder / TODAY).write_bytes(damaged)

        lost = set(needs) - kept_of(folder)

        assert lost <= {seq for seq, pages in needs.items() if page in pages}, f"page {page}"

"""Damage to any one page of a day's journal loses the records that need this page, and no other."""

import random
from pathlib import Path

import numpy as np

from nightbell.adapters.stores.sqlite.journal import SqliteJournalStore
from nightbell.journal.group import Group
from nightbell.publish.reading import READING_DTYPE, Reading
from tests.faults.pages import Pages

AT_MS = 1_795_305_600_000
LARGE = 50
"""Every so many records one is large, and lies in pages of its own."""


def day(folder: Path) -> Path:
    store = SqliteJournalStore(folder)
    store.open(now_ms=AT_MS, seen_seq=0)
    for seq in range(1, 61):
        rows = [Reading(seq, AT_MS - 1000, AT_MS, 100, 4, 1)] * (600 if seq % LARGE == 0 else 30)
        store.append(Group(seq, AT_MS, (), np.array(rows, READING_DTYPE), 0))
    store.close()
    (file,) = folder.glob("*.sqlite")
    return file


def test_damage_to_each_page_in_turn_loses_only_what_needs_it_and_is_said(tmp_path: Path) -> None:
    whole = day(tmp_path / "whole")
    content, rows = whole.read_bytes(), dict(Pages(whole).rows("record"))
    pages, chance = Pages(whole), random.Random(20191129)
    assert sorted(rows) == list(range(1, 61))
    assert max(len(needs) for needs in rows.values()) > 3, "some fill pages of their own"

    for page in range(1, len(content) // pages.size + 1):
        folder = tmp_path / str(page)
        folder.mkdir()
        start = (page - 1) * pages.size
        damaged = content[:start] + chance.randbytes(pages.size) + content[start + pages.size :]
        (folder / whole.name).write_bytes(damaged)
        needing = {seq for seq, needs in rows.items() if page in needs}

        store = SqliteJournalStore(folder)
        store.open(now_ms=AT_MS, seen_seq=0)
        lost = set(rows) - {group.seq for group in store.replay(0)}
        aside = store.recovery().set_aside
        store.close()

        assert lost <= needing, f"page {page}"
        assert aside or not lost, f"page {page}: lost without a word"

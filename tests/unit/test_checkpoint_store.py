"""A checkpoint is there whole, or is not there: losing one costs a longer start and nothing else."""

from pathlib import Path

import pytest

from nightbell.adapters.stores.checkpoint import store
from nightbell.adapters.stores.checkpoint.store import FileCheckpoints
from nightbell.alarm.service import checkpoint_every_s


async def kept_in(folder: Path) -> list[bytes] | None:
    """What comes back from there."""
    parts = await FileCheckpoints(folder).newest()
    return None if parts is None else [bytes(part) for part in parts]


async def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path / "checkpoint").keep([b"first"])
    await FileCheckpoints(tmp_path / "checkpoint").keep([b"second", b"", b"x" * 20])

    assert await kept_in(tmp_path / "checkpoint") == [b"second", b"", b"x" * 20]


async def test_at_the_first_start_there_is_none(tmp_path: Path) -> None:
    assert await kept_in(tmp_path / "checkpoint") is None


async def test_a_damaged_checkpoint_is_not_used(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path).keep([b"some", b"state"])
    kept = tmp_path / "fold"
    whole = kept.read_bytes()

    for place in range(len(whole)):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert await kept_in(tmp_path) is None


async def test_a_torn_checkpoint_is_not_used(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path).keep([b"some", b"state"])
    kept = tmp_path / "fold"

    kept.write_bytes(kept.read_bytes()[:-1])

    assert await kept_in(tmp_path) is None


async def test_a_part_larger_than_a_piece_comes_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PIECE_BYTES", 3)
    part = bytes(range(100))

    await FileCheckpoints(tmp_path).keep([part, b"more"])

    assert await kept_in(tmp_path) == [part, b"more"]


@pytest.mark.parametrize("content", [b"", b"NBC2", b"\x00" * 100, b"NBC2" + b"\xff" * 8])
async def test_what_is_no_checkpoint_is_not_used(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fold").write_bytes(content)

    assert await kept_in(tmp_path) is None


@pytest.mark.parametrize(("copied_in_s", "every_s"), [(0.001, 60), (0.1, 200), (0.29, 580), (5, 600)])
def test_the_longer_a_checkpoint_holds_us_up_the_rarer_it_is(copied_in_s: float, every_s: float) -> None:
    assert checkpoint_every_s(copied_in_s) == pytest.approx(every_s)

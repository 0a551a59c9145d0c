"""A checkpoint is there whole, or is not there: losing one costs a longer start and nothing else."""

from pathlib import Path

from nightbell.adapters.stores.checkpoint.store import FileCheckpoints


async def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path / "checkpoint").keep(b"first")
    await FileCheckpoints(tmp_path / "checkpoint").keep(b"second")

    assert await FileCheckpoints(tmp_path / "checkpoint").newest() == b"second"


async def test_at_the_first_start_there_is_none(tmp_path: Path) -> None:
    assert await FileCheckpoints(tmp_path / "checkpoint").newest() is None


async def test_a_damaged_checkpoint_is_not_used(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path).keep(b"some state")
    kept = tmp_path / "fold"
    whole = kept.read_bytes()

    for place in range(len(whole)):
        kept.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert await FileCheckpoints(tmp_path).newest() is None


async def test_a_torn_checkpoint_is_not_used(tmp_path: Path) -> None:
    await FileCheckpoints(tmp_path).keep(b"some state")
    kept = tmp_path / "fold"

    kept.write_bytes(kept.read_bytes()[:-1])

    assert await FileCheckpoints(tmp_path).newest() is None

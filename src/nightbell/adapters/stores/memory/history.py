"""History in memory: a disk that can be opened again, broken and healed."""

from collections.abc import Iterable

from nightbell.history.packing import Packed, merge
from nightbell.history.ports import Flush, HistoryFailedError, HistoryState, Opened


class MemoryHistoryDisk:
    """What outlives a store: open another store on it, as after a restart.

    Attributes:
        blocks: What was written when blocks closed, `{block: {sharer: packed}}`.
        beside: What came later.
        filed: Imports, `{(sharer, block): (packed, filed_ms)}`.
        state: How far the store is.
        newest: Everybody's newest reading.
        broken: Whether every write and read fails.
    """

    def __init__(self) -> None:
        self.blocks: dict[int, dict[int, bytes]] = {}
        self.beside: dict[int, dict[int, bytes]] = {}
        self.filed: dict[tuple[int, int], tuple[bytes, int]] = {}
        self.state = HistoryState()
        self.newest = b""
        self.broken = False


class MemoryHistoryStore:
    """A `HistoryStore` on a `MemoryHistoryDisk`."""

    def __init__(self, disk: MemoryHistoryDisk | None = None) -> None:
        self.disk = disk or MemoryHistoryDisk()

    def open(self) -> Opened:
        """As the port says."""
        self._raise_if_broken()
        return Opened(self.disk.state, self.disk.newest, "")

    def write(self, flush: Flush) -> None:
        """As the port says."""
        closed = [Packed(each.block, *pack) for each in flush.closed for pack in each.packs]
        beside = list(flush.beside)
        self._raise_if_broken()
        for kind, packs in ((self.disk.blocks, closed), (self.disk.beside, beside)):
            for block, sharer, packed in packs:
                rows = kind.setdefault(block, {})
                rows[sharer] = merge(rows[sharer], packed, block) if sharer in rows else packed
        self.disk.state = flush.state
        self.disk.newest = flush.newest or self.disk.newest

    def file(self, packs: Iterable[Packed], filed_ms: int) -> None:
        """As the port says."""
        self._raise_if_broken()
        for block, sharer, packed in packs:
            earlier = self.disk.filed.get((sharer, block))
            whole = merge(earlier[0], packed, block) if earlier else packed
            self.disk.filed[sharer, block] = (whole, filed_ms)

    def read(self, sharer: int, first_block: int, last_block: int) -> list[Packed]:
        """As the port says."""
        self._raise_if_broken()
        found = [
            Packed(block, sharer, rows[sharer])
            for kind in (self.disk.blocks, self.disk.beside)
            for block, rows in kind.items()
            if first_block <= block <= last_block and sharer in rows
        ]
        found += [
            Packed(block, sharer, packed)
            for (whose, block), (packed, _) in self.disk.filed.items()
            if whose == sharer and first_block <= block <= last_block
        ]
        return found

    def forget(self, *, before_block: int, filed_before_ms: int) -> int:
        """As the port says."""
        self._raise_if_broken()
        old = {block for block in (*self.disk.blocks, *self.disk.beside) if block < before_block}
        for block in old:
            self.disk.blocks.pop(block, None)
            self.disk.beside.pop(block, None)
        self.disk.filed = {key: kept for key, kept in self.disk.filed.items() if kept[1] >= filed_before_ms}
        return len(old)

    def close(self) -> None:
        """As the port says."""

    def _raise_if_broken(self) -> None:
        if self.disk.broken:
            raise HistoryFailedError("planted", "memory")

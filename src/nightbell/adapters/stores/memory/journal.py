"""The journal in memory: a disk that can be opened again, filled, broken and healed."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from nightbell.journal.group import Group
from nightbell.journal.packing import Damaged, decode, encode
from nightbell.journal.ports import Fault, StoreFailedError
from nightbell.journal.recovery import Recovery, SetAside

_DAY_MS = 86_400_000
_PLACE = "memory"


class MemoryDisk:
    """What outlives a store: open another store on it, as after a restart.

    Attributes:
        days: Records of each day, `{day: {seq: record}}`, a day being its first instant, epoch ms.
        highest_seq: The highest seq ever written.
        broken: Set to have every write fail in that way, None to heal.
        before_write: Called before each write, in the writer's thread: a place to wait or to break.
    """

    def __init__(self) -> None:
        self.days: dict[int, dict[int, bytes]] = {}
        self.highest_seq = 0
        self.broken: Fault | None = None
        self.before_write: Callable[[], None] = lambda: None


class MemoryJournalStore:
    """A `JournalStore` on a `MemoryDisk`."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self._set_aside: dict[int, SetAside] = {}
        self._seen_seq = 0

    def open(self, *, now_ms: int, seen_seq: int) -> Recovery:
        """As the port says."""
        self._raise_if_broken()
        self._seen_seq = max(seen_seq, self.disk.highest_seq)
        self.disk.days.setdefault(max(_day(now_ms), *self.disk.days, 0), {})
        return self.recovery()

    def append(self, group: Group) -> None:
        """As the port says."""
        self.disk.before_write()
        self._raise_if_broken()
        assert group.seq > self.disk.highest_seq
        newest = max(self.disk.days)
        day = max(newest, _day(group.recorded_ms))
        self.disk.days.setdefault(day, {})[group.seq] = encode(group)
        self.disk.highest_seq = group.seq

    def replay(self, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
        """As the port says."""
        for day in sorted(self.disk.days):
            records = self.disk.days[day]
            for seq in sorted(records):
                if seq > after_seq:
                    group = decode(records[seq], facts=facts)
                    if isinstance(group, Damaged):
                        self._lose(day, seq, group.reason)
                    else:
                        yield group

    def again(self, after_seq: int, upto_seq: int) -> Iterator[Group]:
        """As the port says."""
        for records in [dict(records) for _, records in sorted(self.disk.days.items())]:
            for seq in sorted(records):
                if after_seq < seq <= upto_seq:
                    group = decode(records[seq], facts=False)
                    if isinstance(group, Damaged):
                        raise StoreFailedError(Fault.DISK_ERROR, group.reason, "memory")
                    yield group

    def recovery(self) -> Recovery:
        """As the port says."""
        seqs = sorted(seq for records in self.disk.days.values() for seq in records)
        return Recovery(
            first_seq=seqs[0] if seqs else 0,
            last_seq=seqs[-1] if seqs else 0,
            next_seq=max(self._seen_seq, self.disk.highest_seq) + 1,
            files=len(self.disk.days),
            missing=tuple((a, b) for a, b in pairwise(seqs) if b != a + 1),
            set_aside=tuple(self._set_aside.values()),
        )

    def expire(self, *, before_ms: int, needed_after: int) -> tuple[str, ...]:
        """As the port says."""
        gone = [
            day
            for day in sorted(self.disk.days)[:-1]
            if day + _DAY_MS <= before_ms and max(self.disk.days[day], default=0) <= needed_after
        ]
        for day in gone:
            del self.disk.days[day]
        return tuple(str(day) for day in gone)

    def close(self) -> None:
        """As the port says."""

    def _raise_if_broken(self) -> None:
        if self.disk.broken is not None:
            raise StoreFailedError(self.disk.broken, "planted", _PLACE)

    def _lose(self, day: int, seq: int, why: str) -> None:
        records = self.disk.days[day]
        del records[seq]
        before = [kept for kept in records if kept < seq]
        after = [kept for kept in records if kept > seq]
        earlier = self._set_aside.get(day)
        self._set_aside[day] = SetAside(
            file=str(day),
            moved_to=f"damaged/{day}",
            why=why,
            kept=len(records),
            lost_after=earlier.lost_after if earlier else max(before, default=0),
            lost_before=min(after, default=0),
        )


def _day(at_ms: int) -> int:
    return at_ms - at_ms % _DAY_MS

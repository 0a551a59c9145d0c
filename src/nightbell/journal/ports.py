"""What the journal needs of the world: one place that keeps groups, in order, for days."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from nightbell.journal.group import Group
from nightbell.journal.recovery import Recovery


class Fault(StrEnum):
    """Why a commit failed, as far as it matters to whoever has to do something."""

    DISK_FULL = "disk_full"
    DISK_ERROR = "disk_error"
    NOT_WRITABLE = "not_writable"
    LOCKED = "locked"
    OTHER = "other"


class StoreFailedError(Exception):
    """The store could not keep something; nothing of it may be promised. The store stays usable: try again.

    Attributes:
        fault: What kind of failure.
        detail: What the store itself said, for the log and for whoever repairs it.
        place: Which file or address.
    """

    def __init__(self, fault: Fault, detail: str, place: str) -> None:
        super().__init__(f"{fault}: {detail} ({place})")
        self.fault = fault
        self.detail = detail
        self.place = place


class JournalStore(Protocol):
    """Keeps groups. Every call blocks; `append` and `open` come from one thread, `replay` from any."""

    def open(self, *, now_ms: int, seen_seq: int) -> Recovery:
        """Open, repair, and say what was found. What it reports is durable.

        Args:
            now_ms: The time of day.
            seen_seq: The newest seq that anybody else remembers; the next one will be above it.

        Raises:
            StoreFailedError: Nothing can be opened or made.
        """
        ...

    def append(self, group: Group) -> None:
        """Return when the group is durable. Seq must be above all before.

        Raises:
            StoreFailedError: It is not durable; after this its seq may be given to another group.
        """
        ...

    def replay(self, after_seq: int, *, facts: bool = True) -> Iterator[Group]:
        """Groups above `after_seq`, oldest first, a few in memory at a time; without `facts`, none of those.

        A damaged file met on the way is set aside and read as far as it can be, so only before the first
        `append`.
        """
        ...

    def again(self, after_seq: int, upto_seq: int) -> Iterator[Group]:
        """Groups above `after_seq` and up to `upto_seq`, without facts, from any thread, between appends.

        Raises:
            StoreFailedError: They cannot be read, or are damaged; nothing is repaired.
        """
        ...

    def recovery(self) -> Recovery:
        """What is known now: what `open` found, and what `replay` found since."""
        ...

    def expire(self, *, before_ms: int, needed_after: int) -> tuple[str, ...]:
        """Delete whole files whose day ended before an instant; return their names.

        The newest file stays, and so does every file with a group above `needed_after`.
        """
        ...

    def close(self) -> None:
        """Finish. Nothing may be called afterwards."""
        ...

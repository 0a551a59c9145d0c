"""What the service of alarms needs of the world."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from nightbell.alarm.effects import Effects
from nightbell.journal.group import Group
from nightbell.words.table import Part


class EffectsTaker(Protocol):
    """Whoever performs effects: the deliver step."""

    def tell(self, effects: Effects) -> None:
        """Take effects, in order. Cheap; the work is done later."""
        ...

    @property
    def written_seq(self) -> int:
        """The newest journal group whose effects are written down."""
        ...


class CheckpointStore(Protocol):
    """Where the fold's state is kept between starts. Losing it costs a longer start, nothing else."""

    async def newest(self) -> Sequence[Part] | None:
        """The parts of the newest checkpoint, or None if there is none or it cannot be read."""
        ...

    async def keep(self, parts: Sequence[bytes]) -> None:
        """Replace it, atomically.

        Raises:
            OSError: It could not be written; the one before is untouched.
        """
        ...


class Replays(Protocol):
    """The journal, as read at start."""

    def replay(self, after_seq: int) -> Iterator[Group]:
        """All groups after `after_seq`, in order."""
        ...

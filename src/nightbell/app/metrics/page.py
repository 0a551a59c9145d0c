"""The numbers of one platform: read now, for Prometheus or for a person."""

from pathlib import Path

from nightbell.app.control_words import StatusLine
from nightbell.app.metrics.ages import ReadingAges
from nightbell.app.metrics.disk import Disk
from nightbell.app.metrics.exposition import exposed
from nightbell.app.metrics.first_page import first_page
from nightbell.app.metrics.read import Rooms, Sample, count_open, read
from nightbell.words.clock import Clock


class Numbers:
    """Reads them from the rooms and from the disk.

    Args:
        rooms: Where they are counted.
        folder: The data directory.
        clock: The time of day.

    Attributes:
        ages: Wants every group of the journal.
    """

    def __init__(self, rooms: Rooms, folder: Path, clock: Clock) -> None:
        self.ages = ReadingAges()
        self._rooms = rooms
        self._disk = Disk(folder)
        self._clock = clock

    async def read(self) -> list[Sample]:
        """Every number now."""
        disk = await self._disk.look()
        rooms = self._rooms
        alarms = await count_open(rooms.hub.board.everybodys(), rooms.canaries())
        return read(rooms, self.ages, disk, alarms, now_ms=self._clock.now_ms())

    async def page(self, accept: str) -> tuple[bytes, str]:
        """The page for Prometheus and its content type."""
        return exposed(await self.read(), accept)

    async def first_page(self) -> list[StatusLine]:
        """What matters most, for a person."""
        return first_page(await self.read())

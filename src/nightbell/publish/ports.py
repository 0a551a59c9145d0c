"""What publishing needs of the world. The journal fulfils it; publishing may not know the journal."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nightbell.publish.reading import Reading, Readings
from nightbell.words.errors import PlatformError

Durable = asyncio.Future[int]
"""Resolves to the seq of the commit once it is durable."""


Heard = Callable[[int, PlatformError | None], None]
"""Hears, once and on the event loop, the seq under which something is durable, or why it is not."""


class ReadingLog(Protocol):
    """Where readings are written down before anything is promised."""

    def append(self, *, live: Readings, backfill: Readings) -> Durable:
        """Write; the future resolves once they are durable.

        Raises:
            PlatformError: OVERLOADED at once if the lane is full, nothing taken; NOT_DURABLE through the
                future.
        """
        ...

    def write(self, reading: Reading, heard: Heard) -> None:
        """Write one live reading; `heard` is told where a future would be settled.

        Raises:
            PlatformError: OVERLOADED; nothing was taken.
        """
        ...

    def settled(self) -> Durable:
        """Resolve once all that is in flight now is durable."""
        ...


class Committed(Protocol):
    """One commit of the journal, as far as publishing looks at it."""

    @property
    def seq(self) -> int:
        """Its place in the order; negative if it could not be made durable."""
        ...

    @property
    def readings(self) -> NDArray[np.void]:
        """Its readings, `READING_DTYPE`."""
        ...

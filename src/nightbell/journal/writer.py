"""The writer: a thread of its own that turns batches into groups and has them made durable, one at a time."""

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nightbell.journal.group import VOLATILE_SEQ, Group
from nightbell.journal.lanes import Batch
from nightbell.journal.ports import Fault, JournalStore, StoreFailedError
from nightbell.publish.reading import READING_DTYPE, Readings, joined


class Written(NamedTuple):
    """What became of a batch.

    Attributes:
        batch: The batch.
        group: What consumers get; its seq is `VOLATILE_SEQ` if it is not durable.
        failure: Why it is not durable; None when it is, or when the store was not tried.
        unpackable: Indexes of waiters whose readings hold a value that no column can hold.
    """

    batch: Batch
    group: Group
    failure: StoreFailedError | None
    unpackable: tuple[int, ...]


def packed_readings(batch: Batch) -> tuple[NDArray[np.void], tuple[int, ...]]:
    """Pack a batch's readings into columns; name the waiters whose readings do not fit, and leave those out.

    One bad reading must not take the readings of others with it.
    """
    try:
        if not batch.parts:
            return np.array(batch.readings, READING_DTYPE), ()
        packed = [np.asarray(part, READING_DTYPE) for part in (*batch.parts, batch.readings)]
        return joined(packed), ()
    except (OverflowError, TypeError, ValueError):
        pass
    good: list[NDArray[np.void]] = []
    bad: list[int] = []
    readings = [reading for part in (*batch.parts, batch.readings) for reading in _one_by_one(part)]
    start = 0
    for index, end in enumerate(batch.ends):
        try:
            good.append(np.array(readings[start:end], READING_DTYPE))
        except (OverflowError, TypeError, ValueError):
            bad.append(index)
        start = end
    return np.concatenate(good) if good else np.empty(0, READING_DTYPE), tuple(bad)


def _one_by_one(part: Readings) -> Sequence[tuple[int, ...]]:
    return part.tolist() if isinstance(part, np.ndarray) else part


class Writer:
    """Owns the thread. `submit` is called by the event loop; `tell` is called in the thread."""

    def __init__(self, store: JournalStore, tell: Callable[[Written], None]) -> None:
        self._store = store
        self._tell = tell
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, batch: Batch, *, seq: int, recorded_ms: int, try_store: bool) -> None:
        """Have a batch written as group `seq`; without `try_store` it is only packed."""
        self._jobs.put(lambda: self._tell(self._write(batch, seq, recorded_ms, try_store=try_store)))

    def call(self, job: Callable[[], None]) -> None:
        """Have something else done in the thread, in turn. It must not raise."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Wait until everything submitted is done, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _write(self, batch: Batch, seq: int, recorded_ms: int, *, try_store: bool) -> Written:
        readings, unpackable = packed_readings(batch)
        group = Group(seq, recorded_ms, tuple(batch.facts), readings, batch.tick_ms)
        if not try_store:
            return Written(batch, group._replace(seq=VOLATILE_SEQ), None, unpackable)
        try:
            self._store.append(group)
        except StoreFailedError as failure:
            return Written(batch, group._replace(seq=VOLATILE_SEQ), failure, unpackable)
        except Exception as error:  # noqa: BLE001 this thread must live: without it nothing is taken or rings
            fault = StoreFailedError(Fault.OTHER, type(error).__name__, "journal")
            return Written(batch, group._replace(seq=VOLATILE_SEQ), fault, unpackable)
        return Written(batch, group, None, unpackable)

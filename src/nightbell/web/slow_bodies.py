"""Bodies that take too long to arrive, watched by one timer for all of them.

A timeout of its own for each request costs several microseconds, more than all else that a reading passes
before the door. So each request only notes when it began, and one timer looks at all of them now and then.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

LOOK_EVERY_S: Final = 5.0
"""How often the timer looks: a body may take this much longer than it may."""


class SlowBodies:
    """Breaks off the reading of bodies that take too long."""

    def __init__(self, seconds_max: float, look_every_s: float = LOOK_EVERY_S) -> None:
        self._seconds_max = seconds_max
        self._look_every_s = look_every_s
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        """What is read.

        Raises:
            TimeoutError: It took too long.
        """
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._look_every_s, self._look)
        try:
            return await reading
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            self._late.discard(task)
            del self._since[task]

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time() - self._seconds_max
        for task, since in self._since.items():
            if since <= before and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._timer = loop.call_later(self._look_every_s, self._look) if self._since else None

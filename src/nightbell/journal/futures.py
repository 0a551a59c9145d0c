"""Futures of those who wait for a commit."""

import asyncio
from collections.abc import Sequence

from nightbell.publish.ports import Heard
from nightbell.words.errors import PlatformError


def forget(future: asyncio.Future[int]) -> None:
    """Nobody waits for this one; a failure was logged with its group."""
    if not future.cancelled():
        future.exception()


def fail(future: asyncio.Future[int], error: PlatformError) -> None:
    """Fail a future, also one that nobody awaits: the failure is logged once, by the journal."""
    if not future.done():
        future.set_exception(error)
        future.exception()


def resolver(future: asyncio.Future[int]) -> Heard:
    """Settles a future with what is heard."""

    def heard(seq: int, error: PlatformError | None) -> None:
        if error is not None:
            fail(future, error)
        elif not future.done():
            future.set_result(seq)

    return heard


def all_of(futures: Sequence[asyncio.Future[int]], loop: asyncio.AbstractEventLoop) -> asyncio.Future[int]:
    """Resolves to the newest seq when all have; fails as soon as one does."""
    joined: asyncio.Future[int] = loop.create_future()
    left = len(futures)
    newest = 0

    def one_done(future: asyncio.Future[int]) -> None:
        nonlocal left, newest
        error = future.exception()
        if joined.done():
            return
        if error is not None:
            joined.set_exception(error)
            joined.exception()
            return
        left -= 1
        newest = max(newest, future.result())
        if left == 0:
            joined.set_result(newest)

    for future in futures:
        future.add_done_callback(one_done)
    return joined

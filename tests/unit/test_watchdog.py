"""The thread that ends a platform which lives and does nothing: when it does, and when it must not."""

import threading
import time

from nightbell.app.watchdog import LOOKS_MAX, Watchdog

LOOK_S = 0.02
PATIENCE_S = 30


def fed(watchdog: Watchdog, ended: threading.Event, *, turned: bool, decided: bool) -> None:
    """Twice as long as it bears, fed several times a look."""
    for _ in range(LOOKS_MAX * 2 * 4):
        if turned:
            watchdog.turned()
        if decided:
            watchdog.decided()
        if ended.wait(LOOK_S / 4):
            return


def made() -> tuple[Watchdog, threading.Event]:
    ended = threading.Event()
    return Watchdog(ended.set, look_every_s=LOOK_S), ended


def test_a_loop_that_stands_ends_the_process() -> None:
    watchdog, ended = made()
    watchdog.start()

    assert ended.wait(PATIENCE_S)


def test_a_loop_that_turns_while_no_second_is_evaluated_ends_the_process() -> None:
    watchdog, ended = made()
    watchdog.start()

    fed(watchdog, ended, turned=True, decided=False)

    assert ended.wait(PATIENCE_S)


def test_a_platform_that_decides_is_left_alone_and_so_is_one_that_stops() -> None:
    # Longer looks: a slow machine must not make the feeding late.
    ended = threading.Event()
    watchdog = Watchdog(ended.set, look_every_s=LOOK_S * 5)
    watchdog.start()

    fed(watchdog, ended, turned=True, decided=True)
    watchdog.stop()
    time.sleep(LOOK_S * 5 * LOOKS_MAX * 2)

    assert not ended.is_set()


def test_nothing_is_looked_at_before_it_starts() -> None:
    _, ended = made()

    assert not ended.wait(LOOK_S * LOOKS_MAX * 2)

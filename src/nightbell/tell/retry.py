"""When to try again, and when to stop: a pure rule. Chance comes in as an argument."""

import hashlib
from typing import Final

import msgspec

_JITTER_STEPS: Final = 1 << 32


class RetryRule(msgspec.Struct, frozen=True):
    """How patiently one channel is tried.

    Attributes:
        first_ms: Longest wait before the second try.
        longest_ms: No wait is longer than this, unless the provider asks for it.
        tries_max: The budget of tries, the first one included.
        give_up_after_ms: No try begins later than this after the message was made.
    """

    first_ms: int = 2_000
    longest_ms: int = 60_000
    tries_max: int = 12
    give_up_after_ms: int = 15 * 60_000


ALARM_RULE: Final = RetryRule()
"""For alarms: quick at first, for a low does not wait, and over after 15 min: then a newer ring has taken its
place (urgent low rings again every 5 min), or the old one must not sound as if it were now."""


def jitter_of(key: str, tries: int) -> float:
    """A fraction from 0 up to 1 that looks random, yet is the same for the same key and try.

    So a burst that failed together does not come back together, and a test or a replay needs no dice.
    """
    digest = hashlib.blake2b(f"{key}:{tries}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / _JITTER_STEPS


def next_try_ms(
    rule: RetryRule, *, tries: int, made_ms: int, now_ms: int, jitter: float, retry_after_ms: int = 0
) -> int | None:
    """When to try again after `tries` tries have failed; None is: give up.

    The wait doubles with every try up to `longest_ms`; of that, the second half is left to chance ("equal
    jitter"). A provider that asks for more patience gets it.

    Args:
        rule: How patiently.
        tries: How many tries were made, at least 1.
        made_ms: When the message was made.
        now_ms: Processing time.
        jitter: Chance, from 0 up to 1.
        retry_after_ms: How long the provider asked us to wait.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    assert tries >= 1
    assert 0 <= jitter < 1
    if tries >= rule.tries_max:
        return None
    doubled_ms = min(rule.longest_ms, rule.first_ms << min(tries - 1, 30))
    wait_ms = max(retry_after_ms, doubled_ms // 2 + int(doubled_ms / 2 * jitter))
    at_ms = now_ms + wait_ms
    return at_ms if at_ms <= made_ms + rule.give_up_after_ms else None

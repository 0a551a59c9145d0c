"""The newest readings of each sharer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nightbell.journal.group import VOLATILE_SEQ, Group, no_readings
from nightbell.publish.admit import reading_key
from nightbell.publish.reading import READING_DTYPE
from nightbell.publish.recent import KEPT, Recent

NOW = 1_790_000_000_000
DAY_MS = 86_400_000


def group(*readings: tuple[int, int, int, int], seq: int = 1) -> Group:
    """A commit of (sharer, measured_ms, level, source)."""
    rows = [(sharer, at_ms, at_ms, level, 0, source) for sharer, at_ms, level, source in readings]
    return Group(seq, NOW, (), np.array(rows, READING_DTYPE), 0)


def test_what_was_committed_is_known_and_nothing_of_others() -> None:
    recent = Recent()

    recent.consume(group((7, NOW, 100, 3)))

    assert reading_key(NOW, 100) in recent.known(7)
    assert reading_key(NOW, 100) not in recent.known(6)
    assert recent.known(10**6) == ()
    assert recent.newest_ms(7, 3) == NOW // 1000 * 1000


def test_the_newest_of_another_uploader_says_nothing_about_this_one() -> None:
    recent = Recent()
    recent.consume(group((7, NOW, 100, 3)))

    assert (recent.newest_ms(7, 4), recent.newest_ms(8, 3), recent.newest_ms(10**6, 3)) == (0, 0, 0)


def test_a_group_that_is_not_durable_is_not_known() -> None:
    recent = Recent()

    recent.consume(group((7, NOW, 100, 3), seq=VOLATILE_SEQ))
    recent.consume(Group(1, NOW, (), no_readings(), NOW))

    assert recent.known(7) == ()


def test_an_old_reading_does_not_push_out_a_new_one() -> None:
    recent = Recent()
    recent.consume(group(*[(7, NOW + n * 300_000, 100 + n, 3) for n in range(KEPT)]))

    recent.consume(group((7, NOW - 300_000, 99, 3)))

    assert reading_key(NOW - 300_000, 99) not in recent.known(7)
    assert all(reading_key(NOW + n * 300_000, 100 + n) in recent.known(7) for n in range(KEPT))


uploads = st.lists(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(20, 24), st.just(3)),
        min_size=1,
        max_size=30,
    ),
    max_size=8,
)


@given(uploads=uploads)
def test_whatever_the_groups_a_sharer_s_newest_readings_are_known(
    uploads: list[list[tuple[int, int, int, int]]],
) -> None:
    recent = Recent()
    kept: dict[int, set[int]] = {}

    for upload in uploads:
        recent.consume(group(*[(s, NOW + t * 60_000, level, source) for s, t, level, source in upload]))
        for s, t, level, _ in upload:
            kept.setdefault(s, set()).add(reading_key(NOW + t * 60_000, level))

    for sharer, keys in kept.items():
        assert sorted(key for key in recent.known(sharer) if key) == sorted(keys)[-KEPT:]


day_apart = st.lists(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 90), st.integers(20, 24), st.just(3)),
        min_size=1,
        max_size=9,
    ),
    max_size=6,
)


@given(uploads=day_apart)
def test_it_is_the_same_when_a_commit_spans_months(uploads: list[list[tuple[int, int, int, int]]]) -> None:
    recent = Recent()
    kept: dict[int, set[int]] = {}

    for upload in uploads:
        recent.consume(group(*[(s, NOW + t * DAY_MS, level, source) for s, t, level, source in upload]))
        for s, t, level, _ in upload:
            kept.setdefault(s, set()).add(reading_key(NOW + t * DAY_MS, level))

    for sharer, keys in kept.items():
        assert sorted(key for key in recent.known(sharer) if key) == sorted(keys)[-KEPT:]


def test_whoever_sent_the_newest_of_a_backlog_is_known_to_have_sent_it() -> None:
    recent = Recent()
    recent.consume(group((7, NOW, 100, 3), (8, NOW, 100, 3)))

    newer = [(7, NOW + n * 300_000, 100, 5 if n == 9 else 4) for n in range(1, 10)]
    older = [(8, NOW - n * 300_000, 100, 4) for n in range(1, 10)]
    recent.consume(group(*newer[::-1], *older))

    newest_ms = (NOW + 9 * 300_000) // 1000 * 1000
    assert (recent.newest_ms(7, 5), recent.newest_ms(7, 3)) == (newest_ms, 0)
    assert (recent.newest_ms(8, 3), recent.newest_ms(8, 4)) == (NOW // 1000 * 1000, 0)

"""The checker catches what it is there for: each kind of broken promise is planted once."""

from collections import Counter

import pytest

from tests.faults.checker import Alarm, Files, Notice, check
from tests.faults.record import Acked, Harmed, Heard, House, Line, Sent, Shown

AT_MS = 1_795_848_519_000
LOW = (1, AT_MS // 1000, 48)
USUAL = (2, AT_MS // 1000, 110)
OLD = (2, AT_MS // 1000 - 7200, 90)
HISTORY: tuple[Line, ...] = (
    House(1, 2),
    *(
        Sent(AT_MS, sharer, s * 1000, level, (sharer, s, level) == OLD)
        for sharer, s, level in (LOW, USUAL, OLD)
    ),
    *(Acked(AT_MS + 9, sharer, s * 1000, level) for sharer, s, level in (LOW, USUAL, OLD)),
    Heard(AT_MS + 90, "n1", "a1", 1, "ring", 0, snapshot=False),
    Heard(AT_MS + 190, "n1", "a1", 1, "ring", 0, snapshot=False),
    Shown(AT_MS + 999, 1, (LOW[1:],)),
    Shown(AT_MS + 999, 2, (OLD[1:], USUAL[1:])),
)
ALARM = Alarm("a1", 1, AT_MS + 5, 0)
NOTICES = (Notice("n1", "a1", 0, 5, "ben", urgent=True), Notice("n2", "a1", 0, 6, "cleo", urgent=True))


def files(
    journal: dict[tuple[int, int, int], int] | None = None,
    *,
    torn: tuple[tuple[int, str], ...] = (),
    alarms: tuple[Alarm, ...] = (ALARM,),
    notices: tuple[Notice, ...] = NOTICES,
) -> Files:
    return Files(Counter({LOW: 1, USUAL: 1, OLD: 1} | (journal or {})), torn, alarms, notices)


def without(kind: type[Line], sharer: int) -> list[Line]:
    return [line for line in HISTORY if not (isinstance(line, kind) and line.sharer == sharer)]  # type: ignore[union-attr]


def test_a_run_in_which_all_was_kept_is_found_so_though_a_ring_was_heard_twice() -> None:
    verdict = check(HISTORY, files())

    assert verdict.violations == ()
    assert (verdict.acked, verdict.lows, verdict.repeated_on_stream) == (3, 1, 1)
    assert verdict.rung_ms == (90,)


def test_a_backlog_may_lie_in_the_journal_twice() -> None:
    assert check(HISTORY, files({OLD: 2})).violations == ()


def test_what_lay_in_the_damaged_part_of_a_journal_may_be_gone_and_nothing_else() -> None:
    harmed = Harmed(AT_MS, (7,), (USUAL,))
    torn = ((7, "record 7: its checksum does not fit"), (8, "record 8: its checksum does not fit"))

    excused = check([*HISTORY, harmed], files({USUAL: 0}, torn=torn[:1]))
    beyond = check([*HISTORY, harmed], files({USUAL: 0, LOW: 0}, torn=torn))

    assert (excused.violations, excused.excused) == ((), 1)
    assert [one.partition(":")[0] for one in beyond.violations] == ["torn", "lost"]


PLANTED = {
    "a lost reading": (files({USUAL: 0}), "lost:"),
    "a reading twice": (files({USUAL: 2}), "twice:"),
    "a reading nobody sent": (files({(3, 1, 100): 1}), "strange:"),
    "a torn record": (files(torn=((7, "record 7: its checksum does not fit"),)), "torn:"),
    "a missed alarm": (files(alarms=(), notices=()), "missed:"),
    "an alarm one follower was not told of": (files(notices=NOTICES[:1]), "missed:"),
    "an alarm that was over before the low": (
        files(alarms=(ALARM._replace(resolved_ms=AT_MS - 1),)),
        "missed:",
    ),
    "an alarm that opened far too late": (
        files(alarms=(ALARM._replace(opened_ms=AT_MS + 600_000),)),
        "missed:",
    ),
    "an alarm under two ids": (files(alarms=(ALARM, ALARM._replace(id="a2"))), "two alarms:"),
    "a notification under two ids": (files(notices=(*NOTICES, NOTICES[0]._replace(id="n9"))), "two ids:"),
}


@pytest.mark.parametrize(("left", "word"), PLANTED.values(), ids=PLANTED)
def test_what_is_wrong_in_the_files_is_found(left: Files, word: str) -> None:
    (found,) = check(HISTORY, left).violations

    assert found.startswith(word)


def test_what_history_does_not_show_or_shows_twice_is_found() -> None:
    gone = check([*without(Shown, 2), Shown(AT_MS, 2, (OLD[1:],))], files())
    twice = check([*HISTORY, Shown(AT_MS, 1, (LOW[1:], LOW[1:]))], files())

    found = (*gone.violations, *twice.violations)
    assert [one.partition(":")[0] for one in found] == ["gone from history", "doubled in history"]
    assert [gone.lost, gone.doubled, twice.lost, twice.doubled] == [1, 0, 0, 1]


def test_a_ring_that_no_screen_heard_is_found() -> None:
    (found,) = check(without(Heard, 1), files()).violations

    assert found.startswith("unheard:")


def test_a_ring_heard_under_two_ids_is_found() -> None:
    again = Heard(AT_MS + 95, "n8", "a1", 1, "ring", 0, snapshot=False)

    (found,) = check([*HISTORY, again], files()).violations

    assert found.startswith("two ids:")


def test_a_run_that_tried_nothing_is_no_success() -> None:
    assert check([House(1, 2)], files({LOW: 0, USUAL: 0, OLD: 0})).violations != ()

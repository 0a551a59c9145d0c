"""Goal: the same journal, the same effects, byte for byte. Method: random scenes, cut anywhere."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from nightbell.alarm.effects import Effects
from nightbell.alarm.fold import AlarmFold
from nightbell.journal.facts import Answered, Snoozed
from nightbell.journal.group import Group
from tests.sim.scene import ANA, BEN, CLEO, CLEO_FOLLOWS, MINUTE_MS, Scene

step = st.one_of(
    st.tuples(st.just("reading"), st.sampled_from([0, 45, 54, 58, 66, 69, 76, 90, 140, 251, 290, 310, 1023])),
    st.tuples(st.just("wait"), st.sampled_from([1, 3, 5, 5, 5, 16, 31])),
    st.tuples(st.just("answer"), st.sampled_from([0, 1])),
    st.tuples(st.just("snooze"), st.sampled_from([0, 15, 30])),
    st.tuples(st.just("follow"), st.booleans()),
)


def played(script: list[tuple[str, int]]) -> list[Group]:
    scene = Scene()
    scene.follow()
    for verb, value in script:
        match verb:
            case "reading":
                scene.reading(value)
            case "wait":
                scene.pass_minutes(value, every_s=30)
            case "answer":
                for alarm in list(scene.fold.book.by_id):
                    scene.fact(Answered(scene.now_ms, alarm, ANA if value else BEN, bool(value)))
            case "snooze":
                scene.fact(Snoozed(scene.now_ms, 0, "low", scene.now_ms + value * MINUTE_MS, BEN))
            case _:
                scene.follow(CLEO_FOLLOWS, CLEO, told=bool(value), by=ANA)
    return scene.groups


def folded(groups: list[Group], sizes: list[int], *, restart: bool) -> bytes:
    fold, effects, start = AlarmFold(), [], 0
    while start < len(groups):
        size = sizes[start % len(sizes)]
        effects.append(fold.fold(groups[start : start + size]))
        start += size
        if restart:
            fold = AlarmFold.load(fold.dump())
    whole = Effects(
        effects[-1].upto_seq,
        tuple(view for part in effects for view in part.alarms),
        tuple(entry for part in effects for entry in part.entries),
        tuple(note for part in effects for note in part.notifications),
    )
    return msgspec.json.encode(whole)


@given(st.lists(step, max_size=14), st.lists(st.integers(1, 50), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_batches_and_restarts_change_nothing(script: list[tuple[str, int]], sizes: list[int]) -> None:
    groups = played(script)

    one_by_one = folded(groups, [1], restart=False)

    assert folded(groups, sizes, restart=False) == one_by_one
    assert folded(groups, sizes, restart=True) == one_by_one


@given(st.lists(step, max_size=14))
@settings(max_examples=60, deadline=None)
def test_no_id_comes_twice_and_versions_only_grow(script: list[tuple[str, int]]) -> None:
    effects = AlarmFold().fold(played(script))

    ids = [note.id for note in effects.notifications]
    assert len(ids) == len(set(ids))
    lines = [(entry.alarm, entry.number) for entry in effects.entries]
    assert len(lines) == len(set(lines))
    versions: dict[str, int] = {}
    for view in effects.alarms:
        assert view.version == versions.get(view.id, -1) + 1
        versions[view.id] = view.version


@given(st.lists(step, max_size=14))
@settings(max_examples=60, deadline=None)
def test_whoever_hears_nothing_for_an_hour_is_told(script: list[tuple[str, int]]) -> None:
    scene = Scene()
    scene.groups = played(script)
    scene.fold.fold(scene.groups)
    scene.now_ms = scene.groups[-1].recorded_ms
    scene.follow()

    scene.pass_minutes(90, every_s=30)

    assert any(note.follower == BEN for note in scene.notifications)

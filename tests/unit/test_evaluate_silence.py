"""Silence, and what people change, worked out by hand from `docs/reference/conditions.md`."""

from nightbell.journal.facts import SharerAdded
from tests.oracle.scribe import IN_MGDL, IN_MMOL, NEVER_OFF
from tests.oracle.story import ANA, CLEO, Story, changed, ms

SILENT_ONLY = changed(IN_MGDL, on=NEVER_OFF)


def test_silence_begins_at_the_first_tick_that_is_due() -> None:
    story = Story().reads(5, 100).tick(24.99).tick(25).tick(26)

    assert story.says() == ["25 no_readings began"]


def test_each_follow_has_its_own_patience() -> None:
    story = Story().follows(0, changed(IN_MGDL, no_readings_after_ms=1_800_000), who=CLEO)

    assert story.reads(5, 100).tick(30).tick(35).says() == [
        "30 no_readings began",
        "35 no_readings began for 1",
    ]


def test_an_open_low_never_ends_because_readings_stopped() -> None:
    story = Story().reads(5, 50).tick(25).tick(600)

    assert story.says() == ["5 low began", "5 urgent_low began", "25 no_readings began"]


def test_somebody_never_seen_is_silent_too() -> None:
    story = Story(begun=False).fact(SharerAdded(at_ms=ms(0), sharer=ANA)).follows(10, IN_MGDL)

    assert story.tick(29).tick(30).says() == ["30 no_readings began"]


def test_somebody_never_added_and_never_seen_is_silent_too() -> None:
    assert Story(begun=False).follows(0, IN_MGDL).tick(19).tick(20).says() == ["20 no_readings began"]


def test_silence_of_somebody_never_seen_counts_from_when_a_follow_may_be_told() -> None:
    story = Story(begun=False).follows(0, IN_MGDL, told=False).follows(15, IN_MGDL)

    assert story.tick(34).tick(35).says() == ["35 no_readings began"]


def test_a_live_reading_ends_silence_and_a_late_one_does_not() -> None:
    live = Story().reads(5, 100).tick(25).reads(50, 100, measured=35)
    late = Story().reads(5, 100).tick(25).reads(50, 100, measured=34.999)

    assert live.says() == ["25 no_readings began", "50 no_readings ended"]
    assert late.says() == ["25 no_readings began"]


def test_a_live_reading_as_old_as_the_patience_does_not_end_silence() -> None:
    quarter = changed(IN_MGDL, no_readings_after_ms=900_000)

    assert Story(quarter).tick(15).reads(50, 100, measured=35).says() == ["15 no_readings began"]
    assert Story(quarter).tick(15).reads(49.999, 100, measured=35).says()[1:] == ["49.999 no_readings ended"]


def test_a_source_that_is_always_late_keeps_nobody_quiet() -> None:
    story = Story(changed(IN_MGDL, no_readings_after_ms=3_600_000)).reads(5, 100)
    for minute in range(10, 120, 5):
        story.reads(minute, 40, measured=minute - 15.5).tick(minute)

    assert story.says() == ["65 no_readings began"]


def test_silence_after_an_outage_does_not_end_by_a_late_reading() -> None:
    story = Story().reads(5, 100).tick(25).door(60).reads(61, 90, measured=45)

    assert story.says() == ["25 no_readings began"]


def test_our_own_outage_is_not_their_silence() -> None:
    story = Story().tick(0).reads(5, 100).tick(6).door(30).tick(30).tick(49.999).tick(50)

    assert story.says() == ["50 no_readings began"]


def test_a_restart_is_not_an_outage() -> None:
    assert Story().reads(5, 100).tick(24).door(25).tick(25).says() == ["25 no_readings began"]
    assert Story().reads(5, 100).tick(24).door(25.001).tick(25.002).says() == []


def test_silence_that_holds_goes_on_through_an_outage() -> None:
    assert Story().reads(5, 100).tick(25).door(60).tick(60).says() == ["25 no_readings began"]


def test_a_new_sensor_holds_silence_for_its_warm_up() -> None:
    story = Story().reads(5, 100).sensor(10, 70).tick(30).tick(89.999).tick(90)

    assert story.says() == ["90 no_readings began"]


def test_a_new_sensor_ends_a_silence_that_holds() -> None:
    story = Story().reads(5, 100).tick(25).sensor(30, 90).tick(100)

    assert story.says() == ["25 no_readings began", "30 no_readings ended"]


def test_a_reading_of_the_new_sensor_ends_the_warm_up() -> None:
    old = Story().reads(5, 100).sensor(10, 70).reads(11, 100, measured=10).tick(31)
    new = Story().reads(5, 100).sensor(10, 70).reads(11, 100).tick(30.999).tick(31)

    assert old.says() == []
    assert new.says() == ["31 no_readings began"]


def test_a_changed_limit_is_evaluated_at_once() -> None:
    raised = changed(SILENT_ONLY, urgent_low_at_most=90, urgent_low_clear=95)
    story = Story(SILENT_ONLY).reads(5, 90).follows(20, raised).follows(21, SILENT_ONLY)

    assert story.says() == ["20 urgent_low began", "21 urgent_low ended"]


def test_a_changed_limit_begins_nothing_by_an_old_reading() -> None:
    raised = changed(SILENT_ONLY, urgent_low_at_most=90, urgent_low_clear=95)

    assert Story(SILENT_ONLY).reads(5, 90).follows(20.001, raised).says() == []


def test_a_changed_limit_does_not_end_what_is_beyond_it_however_old() -> None:
    lower = changed(SILENT_ONLY, urgent_low_at_most=54)
    story = Story(SILENT_ONLY).reads(5, 50).follows(60, lower)

    assert story.says() == ["5 urgent_low began"]


def test_changing_one_limit_leaves_the_other_conditions_as_they_are() -> None:
    story = Story().every_5(5, 69, 75).follows(11, changed(IN_MGDL, no_readings_after_ms=1_800_000))

    assert story.reads(15, 75).says() == ["5 low began", "15 low ended"]


def test_a_condition_switched_off_ends() -> None:
    story = Story().reads(5, 60).follows(6, SILENT_ONLY)

    assert story.says() == ["5 low began", "6 low ended"]


def test_setting_a_follow_to_what_it_is_changes_nothing() -> None:
    story = Story().every_5(5, 69, 75).follows(11, IN_MGDL).reads(15, 75)

    assert story.says() == ["5 low began", "15 low ended"]


def test_a_paused_follow_has_no_conditions_and_begins_anew() -> None:
    story = Story().reads(5, 50).follows(6, IN_MGDL, told=False).reads(10, 45).tick(60)

    assert story.says() == ["5 low began", "5 urgent_low began", "6 low ended", "6 urgent_low ended"]
    assert story.reads(61, 45).follows(62, IN_MGDL).says()[4:] == ["62 low began", "62 urgent_low began"]


def test_an_ended_follow_has_no_conditions() -> None:
    story = Story().reads(5, 50).unfollows(6).reads(10, 45).tick(60)

    assert story.says() == ["5 low began", "5 urgent_low began", "6 low ended", "6 urgent_low ended"]


def test_shorter_patience_takes_effect_at_the_next_tick_and_longer_ends_silence() -> None:
    shorter = (
        Story(changed(IN_MGDL, no_readings_after_ms=3_600_000)).reads(5, 100).follows(40, IN_MGDL).tick(41)
    )
    longer = Story().reads(5, 100).tick(25).follows(26, IN_MMOL)

    assert shorter.says() == ["41 no_readings began"]
    assert longer.says() == ["25 no_readings began", "26 no_readings ended"]


def test_soon_goes_on_by_a_fact_where_the_newest_reading_did_not_count() -> None:
    """80 at the same instant contradicts 179 and is the newest: the forecast is not known any more."""
    on = NEVER_OFF | 1 << 6
    before = changed(IN_MGDL, on=on, urgent_high_at_least=190, urgent_high_clear=185)
    after = changed(before, urgent_high_at_least=220, urgent_high_clear=215)
    story = Story(before).every_5(5, 125, 143, 161, 179)

    assert story.says() == ["20 urgent_high_soon began"]
    assert story.reads(20.1, 80, measured=20).follows(21, after).says() == ["20 urgent_high_soon began"]


def test_soon_ends_by_a_fact_where_the_forecast_is_past_the_new_bound() -> None:
    on = NEVER_OFF | 1 << 6
    before = changed(IN_MGDL, on=on, urgent_high_at_least=190, urgent_high_clear=185)
    after = changed(before, urgent_high_at_least=220, urgent_high_clear=215)
    story = Story(before).every_5(5, 125, 143, 161, 179).follows(21, after)

    assert story.says() == ["20 urgent_high_soon began", "21 urgent_high_soon ended"]

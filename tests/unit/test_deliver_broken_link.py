import pytest

from nightbell.deliver.broken_link import Link, likely_broken

NOW_MS = 1_800_000_000_000
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("measured", "heard", "link"),
    [
        (30, 3, Link.SENSOR),  # it uploads, but nothing new
        (30, 10, Link.SENSOR),
        (30, 11, Link.PHONE),
        (30, None, Link.PHONE),  # we started anew and have not heard from it
        (None, 2, Link.SENSOR),  # set up, no number yet
        (None, 60, Link.PHONE),
        (None, None, Link.NEVER),
    ],
)
def test_the_likely_link_follows_from_what_the_phone_last_said(
    measured: int | None, heard: int | None, link: Link
) -> None:
    def ago(minutes: int | None) -> int:
        return 0 if minutes is None else NOW_MS - minutes * MINUTE_MS

    assert likely_broken(measured_ms=ago(measured), heard_ms=ago(heard), now_ms=NOW_MS) is link

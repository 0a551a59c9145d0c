"""What is said over the control socket: the arguments and the results of each command.

Sharers and followers are named as people type them. Secrets stand in results once, when they are made.
"""

from typing import Annotated, Final

import msgspec

from nightbell.words.glucose import Unit

IMPORT_READINGS_MAX: Final = 5_000
"""Readings in one request, so that a line stays far below its limit and the bar moves."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Short = Annotated[str, msgspec.Meta(max_length=320)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]


class PersonAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Add a person who signs in to the app; with `share`, a Share credential that never does.

    Attributes:
        name: Unique, 1 to 80 characters.
        password: For the app, or for the Share endpoints if `share`.
        email: Where e-mail goes; may be empty.
        unit: What they read glucose in.
        zone: Their time zone, as `Europe/Lisbon`.
        share: Make the person a sharer whose old apps publish and read through the Share endpoints.
    """

    name: Name
    password: Secret
    email: Short = ""
    unit: Unit = Unit.MGDL
    zone: Short = "UTC"
    share: bool = False


class PersonRow(msgspec.Struct, frozen=True):
    """One person. `sharer` is -1 for somebody who does not share."""

    person: str
    name: str
    email: str
    unit: Unit
    zone: str
    sharer: int


class People(msgspec.Struct, frozen=True):
    """Everybody, by name; the watcher's own canaries are left out."""

    people: list[PersonRow]


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command without arguments."""


class FollowInvite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make a one-time invitation to follow this sharer."""

    sharer: Name
    may_see_graph: bool = True
    may_be_told: bool = True


class Invited(msgspec.Struct, frozen=True):
    """The invitation: its secret is shown once."""

    secret: str
    link: str
    expires_ms: int


class FollowAccept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accept an invitation for this person, by its secret or its whole link."""

    secret: Secret
    follower: Name


class FollowConfirm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Confirm a follow that was accepted: by its id, or by the two names."""

    follow: Annotated[str, msgspec.Meta(max_length=36)] = ""
    sharer: Annotated[str, msgspec.Meta(max_length=80)] = ""
    follower: Annotated[str, msgspec.Meta(max_length=80)] = ""


class FollowList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """List the follows of this person, as sharer or follower; of everybody if empty."""

    person: Annotated[str, msgspec.Meta(max_length=80)] = ""


class FollowRow(msgspec.Struct, frozen=True):
    """One follow."""

    follow: str
    sharer: str
    follower: str
    state: str
    may_see_graph: bool
    may_be_told: bool


class FollowRows(msgspec.Struct, frozen=True):
    """Follows, by sharer and follower."""

    follows: list[FollowRow]


class KeyAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make a key for a program: `publish` sends this person's readings, `follow` reads as this person."""

    person: Name
    scope: Annotated[str, msgspec.Meta(pattern="^(publish|follow)$")] = "publish"
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=80)] = "command line"


class KeyAdded(msgspec.Struct, frozen=True):
    """The key: its secret is shown once."""

    key: str
    secret: str


class KeyRevoke(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End a key at once, by its id."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Done(msgspec.Struct, frozen=True):
    """It was done; there is nothing more to say."""


class ImportedReading(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One reading of a recording: when, the level (0 is LOW, 1023 is HIGH), and the arrow's number."""

    measured_ms: int
    level: int
    trend: int = 0


class ReadingsImport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """File part of a recording into history under its own times. It never rings."""

    sharer: Name
    readings: Annotated[list[ImportedReading], msgspec.Meta(max_length=IMPORT_READINGS_MAX)]


class Imported(msgspec.Struct, frozen=True):
    """What became of them.

    Attributes:
        filed: How many are in history now.
        refused: How many were not: no possible level, or a time that has not come yet.
        expiring: How many of the filed are older than history is kept, so that they will go again.
    """

    filed: int
    refused: int
    expiring: int


class StatusLine(msgspec.Struct, frozen=True):
    """One number.

    Attributes:
        key: Which.
        unit: `seconds`, `bytes`, or `count`.
        value: The number; -1 if there is none yet, or there was never one.
        more: Whether it is more than that: the steps of durations end at an hour.
    """

    key: str
    unit: str
    value: float
    more: bool = False


class Status(msgspec.Struct, frozen=True):
    """The numbers to look at first, and how the platform is."""

    health: "Health"
    lines: list[StatusLine]


class Health(msgspec.Struct, frozen=True):
    """How the platform is.

    Attributes:
        well: Whether readings are written down and evaluated.
        url: Where it answers.
        last_seq: The newest record of the journal.
        live_waiting: Live readings waiting for the disk.
        backfill_waiting: Late readings waiting for the disk.
        evaluated_tick_ms: The newest second that was evaluated.
        failing: What is wrong and what to do, or empty.
        switched_off: Which switches of the settings are off.
        turned_away: Who is turned away because there is too much to do, and since when. That is no failure.
    """

    well: bool
    url: str
    last_seq: int
    live_waiting: int
    backfill_waiting: int
    evaluated_tick_ms: int
    failing: str
    switched_off: list[str] = []
    turned_away: list[str] = []

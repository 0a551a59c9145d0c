"""What the API takes and gives. Names and meanings stand in the OpenAPI document, made from these structs.

Every answer about readings says until when they may be relied on: after `rely_until_ms` a number is not to be
shown as current, nor used to dose.
"""

from typing import Annotated, Literal

import msgspec

from nightbell.follow.limits import Limits
from nightbell.web.show.readings import LimitLine
from nightbell.words.glucose import Unit

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
ChannelName = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern="^[a-z_]+$")]
Minutes = Annotated[int, msgspec.Meta(ge=0, le=1440)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Name and password of a person, and what to call the device that will hold the grant."""

    name: Name
    password: Password
    device: Annotated[str, msgspec.Meta(max_length=80)] = ""


class Grant(msgspec.Struct):
    """A grant for a device: send `token` as bearer.

    Attributes:
        expires_ms: Until when it holds.
        renew_ms: When to renew it: a moment drawn from its last 20 days, so that not all come at once.
    """

    token: str
    expires_ms: int
    renew_ms: int
    person: str


class Me(msgspec.Struct):
    """The person who asks. `sharer` is their number in the stream, -1 if they do not share."""

    id: str
    name: str
    email: str
    unit: Unit
    zone: str
    sharer: int
    webhook: str


class MeChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change about oneself; what is left out stays. `webhook` is told of alarms, signed."""

    email: Annotated[str, msgspec.Meta(max_length=254)] | None = None
    unit: Unit | None = None
    zone: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    webhook: Annotated[str, msgspec.Meta(max_length=2000)] | None = None


class ReadingOut(msgspec.Struct):
    """One reading.

    Attributes:
        glucose_mgdl: Whole mg/dL; null where the sensor said LOW or HIGH.
        shown: As the viewer reads it: `112`, `6.2`, `LOW` or `HIGH`.
        plot: Where it stands on a graph in the viewer's unit; LOW and HIGH stand at 40 and 400 mg/dL.
        time: The time of day in the viewer's zone.
        trend: The arrow as sent, as `forty_five_down`.
    """

    measured_ms: int
    glucose_mgdl: int | None
    shown: str
    plot: float
    time: str
    trend: str


class AlarmOut(msgspec.Struct):
    """One alarm. `text` says since when and who has it, in words."""

    id: str
    person: str
    family: str
    condition: str
    state: str
    unseen: bool
    opened_ms: int
    raised_ms: int
    resolved_ms: int
    answered_by: str
    answered_ms: int
    answered_until_ms: int
    title: str
    text: str


class Tile(msgspec.Struct):
    """One person and how they are now.

    Attributes:
        id: Person id.
        sharer: Their number in the stream.
        follow: Id of the follow through which they are seen; empty for oneself.
        sight: `number` or `graph`.
        freshness: `fresh`, `old`, `gone` or `never`: what may be shown now.
        reading: The newest, however old; null if there was never one.
        arrow: The word for the arrow, empty where none may be shown.
        change: How it changed in five minutes, as `+9 in 5 min`; empty if unknown.
        rely_until_ms: Until when the reading may be relied on; 0 if there is none.
        alarms: Open alarms.
    """

    id: str
    name: str
    sharer: int
    follow: str
    sight: str
    freshness: str
    reading: ReadingOut | None
    arrow: str
    change: str
    rely_until_ms: int
    warm_up_until_ms: int
    alarms: list[AlarmOut]


class Tiles(msgspec.Struct):
    """Everybody the caller may see, most urgent first; `watching` says whether alarms are being evaluated."""

    server_ms: int
    watching: bool
    rely_until_ms: int
    people: list[Tile]


class OnePerson(msgspec.Struct):
    """One person and how they are now."""

    server_ms: int
    watching: bool
    rely_until_ms: int
    person: Tile


class Readings(msgspec.Struct):
    """Readings of a span, oldest first; `summary` is the graph in words."""

    server_ms: int
    rely_until_ms: int
    from_ms: int
    to_ms: int
    unit: Unit
    points: list[ReadingOut]
    lines: list[LimitLine]
    summary: str


class Alarms(msgspec.Struct):
    """Alarms of one person, newest first."""

    server_ms: int
    rely_until_ms: int
    alarms: list[AlarmOut]


class EntryOut(msgspec.Struct):
    """One line of an alarm's story: what was decided, for whom, why, in words."""

    at_ms: int
    kind: str
    title: str
    reason: str


class StepOut(msgspec.Struct):
    """One of sent, delivered, seen, answered: in words, and whether it is so."""

    text: str
    done: bool


class ToldOut(msgspec.Struct):
    """One notification to one person."""

    name: str
    what: str
    at_ms: int
    steps: list[StepOut]


class AlarmStory(msgspec.Struct):
    """One alarm with everything that happened and why; `cut` if there was more."""

    server_ms: int
    rely_until_ms: int
    alarm: AlarmOut
    entries: list[EntryOut]
    told: list[ToldOut]
    cut: bool


class OneAlarm(msgspec.Struct):
    """One alarm as it stands after an answer."""

    server_ms: int
    rely_until_ms: int
    alarm: AlarmOut


class Snooze(msgspec.Struct, forbid_unknown_fields=True):
    """Quiet about one family for a while; 0 minutes ends it. Urgent low is never hidden."""

    family: Literal["low", "high", "silence"]
    minutes: Minutes


class ReceiptIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the device can prove: it arrived, or a person looked at it; on an open page, or as a push."""

    state: Literal["delivered", "seen"]
    channel: Literal["app", "web_push"] = "app"


class InvitationIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the invited person will be allowed."""

    may_see_graph: bool = True
    may_be_told: bool = True


class PermissionsIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a follower may from now on."""

    may_see_graph: bool
    may_be_told: bool


class InvitationOut(msgspec.Struct):
    """An invitation: give the link to one person. The secret is in this answer and nowhere else.

    Attributes:
        link: The secret stands behind the `#`, so that it is in no log.
    """

    secret: str
    link: str
    expires_ms: int


class SecretIn(msgspec.Struct, forbid_unknown_fields=True):
    """The secret of an invitation, in the body so that it is in no log."""

    secret: Secret


class InvitationLook(msgspec.Struct):
    """What an invitation offers. Looking changes nothing."""

    name: str
    may_see_graph: bool
    may_be_told: bool
    expires_ms: int


class FollowOut(msgspec.Struct):
    """One follow, as one of its two people sees it."""

    id: str
    sharer: str
    sharer_name: str
    follower: str
    follower_name: str
    state: str
    may_see_graph: bool
    may_be_told: bool


class FollowsOut(msgspec.Struct):
    """Whom the caller follows, and who follows them."""

    following: list[FollowOut]
    followers: list[FollowOut]


class LimitsOut(msgspec.Struct):
    """A follower's own limits for one person."""

    follow: str
    limits: Limits


class LookOut(msgspec.Struct):
    """Somebody looked at the caller's readings."""

    at_ms: int
    name: str
    what: str


class Looks(msgspec.Struct):
    """Who looked, newest first."""

    looks: list[LookOut]


class SensorIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new sensor warms up for so many minutes: nobody is told of missing readings meanwhile."""

    warm_up_minutes: Minutes


class WayIn(msgspec.Struct, forbid_unknown_fields=True):
    """A way to be reached by.

    Attributes:
        channel: Name of a channel that is set up here, as `sms`.
        address: Its own form of an address: a number, a web address, a push subscription as JSON.
        label: What to call it, as `Ben's phone`.
    """

    channel: ChannelName
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    label: Annotated[str, msgspec.Meta(max_length=80)] = ""


class WayGone(msgspec.Struct, forbid_unknown_fields=True):
    """The way to take away, named by its whole address, or else by its number."""

    channel: ChannelName
    address: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    number: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 0


class WayOut(msgspec.Struct):
    """One way to reach the caller.

    Attributes:
        number: Which of their ways of this channel.
        shown: The address, shortened.
        added_ms: When it was added, 0 if that was before we kept it.
        proven_ms: When it was last proven to work, 0 if never.
        proven_by: By what: `delivered`, `seen`, `answered`, or empty.
        lost_ms: When it was last found dead, 0 if it is not.
        lost_why: Why, in words.
        state: `proven`, `unproven`, `lost` or `off`.
        text: The state in words, with what to do.
        promise: What this channel can honestly promise.
    """

    channel: str
    number: int
    label: str
    shown: str
    added_ms: int
    proven_ms: int
    proven_by: str
    lost_ms: int
    lost_why: str
    state: str
    text: str
    promise: str


class WaysOut(msgspec.Struct):
    """How the caller is reached, besides open screens."""

    ways: list[WayOut]


class Done(msgspec.Struct):
    """It is done."""

    done: bool = True

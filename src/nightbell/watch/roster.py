"""The roster: whom to tell. The watcher's own copy, fetched from the platform every 30 s."""

from typing import Final

import msgspec

from nightbell.words.glucose import Unit

ROSTER_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest roster taken: some hundred thousand people. Larger services fetch it in parts, which is a later
step."""

NAME_LENGTH_MAX: Final = 80
EMAIL_LENGTH_MAX: Final = 320


class RosterSharer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sharer, without any glucose.

    Attributes:
        person: Person id.
        last_reading_ms: When the newest reading was measured; 0 if there was never one.
        urgent: Whether they were low, or had an alarm that nobody answered, when the roster was made.
    """

    person: str
    last_reading_ms: int
    urgent: bool


class RosterPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person who may have to be told.

    Attributes:
        person: Person id.
        name: What others call them.
        email: Where mail reaches them; may be empty.
        unit: The unit they read.
        zone: Their time zone, as `Europe/Lisbon`.
        follows: Person ids of the sharers they follow; ended and paused follows are not among them.
    """

    person: str
    name: str
    email: str
    unit: Unit
    zone: str
    follows: tuple[str, ...] = ()


class Roster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to tell of what.

    Attributes:
        made_ms: When the platform made it.
        sharers: Everybody who shares, canaries excepted.
        people: Everybody who shares or follows, canaries excepted.
    """

    made_ms: int
    sharers: tuple[RosterSharer, ...] = ()
    people: tuple[RosterPerson, ...] = ()


class Affected(msgspec.Struct, frozen=True):
    """One person hit by our failure.

    Attributes:
        person: Who.
        sharers: Names of the sharers they follow, in the alphabet's order; their own is not among them.
        shares: Whether they share themselves.
        urgent: Whether one of those sharers cannot wait.
    """

    person: RosterPerson
    sharers: tuple[str, ...]
    shares: bool
    urgent: bool


def read_roster(raw: bytes) -> Roster:
    """Decode what the platform served.

    Raises:
        ValueError: It is not a roster, or is out of bounds.
    """
    if len(raw) > ROSTER_BYTES_MAX:
        raise ValueError("the roster is too large")
    try:
        roster = msgspec.json.decode(raw, type=Roster)
    except msgspec.DecodeError as error:
        raise ValueError(f"not a roster: {error}") from None
    for person in roster.people:
        if len(person.name) > NAME_LENGTH_MAX or len(person.email) > EMAIL_LENGTH_MAX:
            raise ValueError("a name or an address in the roster is too long")
    return roster


def affected(roster: Roster) -> list[Affected]:
    """Everybody whom our failure concerns: who shares, and who follows somebody."""
    names = {person.person: person.name for person in roster.people}
    sharers = {sharer.person: sharer for sharer in roster.sharers}
    hit = []
    for person in roster.people:
        followed = [sharers[sharer] for sharer in person.follows if sharer in sharers]
        own = sharers.get(person.person)
        if not followed and own is None:
            continue
        hit.append(
            Affected(
                person=person,
                sharers=tuple(sorted(names.get(sharer.person, "") for sharer in followed)),
                shares=own is not None,
                urgent=any(sharer.urgent for sharer in followed) or (own is not None and own.urgent),
            )
        )
    return hit

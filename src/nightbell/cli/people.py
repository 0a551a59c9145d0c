"""`nightbell person`, `follow` and `key`: who there is, who may see whom, and which programs may do what."""

import argparse
from datetime import UTC

from nightbell.app.control_words import (
    Done,
    FollowAccept,
    FollowConfirm,
    FollowInvite,
    FollowList,
    FollowRow,
    FollowRows,
    Health,
    Invited,
    KeyAdd,
    KeyAdded,
    KeyRevoke,
    Nothing,
    People,
    PersonAdd,
    PersonRow,
)
from nightbell.cli.asking import Platform
from nightbell.cli.passwords import read_password
from nightbell.cli.speak import CommandError, Speaker, say
from nightbell.words.clock import from_ms
from nightbell.words.glucose import Unit


def person_add(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Add a person, or a Share credential with `--share`."""
    password = read_password()
    with Platform(asked.data) as platform:
        added = platform.ask(
            "person.add",
            PersonAdd(
                name=asked.name,
                password=password,
                email=asked.email,
                unit=Unit(asked.unit),
                zone=asked.zone,
                share=asked.share,
            ),
            PersonRow,
        )
    key = "person_share_added" if asked.share else "person_added"
    speaker.result(added, say(key, name=added.name))


def person_list(asked: argparse.Namespace, speaker: Speaker) -> None:
    """List everybody."""
    with Platform(asked.data) as platform:
        people = platform.ask("person.list", Nothing(), People)
    rows = [
        [row.name, say("yes") if row.sharer >= 0 else "", row.email, row.unit, row.zone]
        for row in people.people
    ]
    heads = [say("head_name"), say("head_shares"), say("head_email"), say("head_unit"), say("head_zone")]
    speaker.table(people, heads, rows, say("people_none"))


def follow_invite(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Make a one-time invitation."""
    with Platform(asked.data) as platform:
        invited = platform.ask(
            "follow.invite",
            FollowInvite(asked.sharer, may_see_graph=not asked.no_graph, may_be_told=not asked.no_alarms),
            Invited,
        )
    until = from_ms(invited.expires_ms).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    speaker.result(invited, say("invited", sharer=asked.sharer, until=until), invited.link)


def follow_accept(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Accept an invitation for somebody."""
    with Platform(asked.data) as platform:
        row = platform.ask("follow.accept", FollowAccept(asked.link, asked.follower), FollowRow)
    speaker.result(row, say("accepted", follower=row.follower, sharer=row.sharer))


def follow_confirm(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Confirm a follow for its sharer."""
    sharer, slash, follower = asked.follow.rpartition("/")
    confirm = FollowConfirm(sharer=sharer, follower=follower) if slash else FollowConfirm(asked.follow)
    with Platform(asked.data) as platform:
        row = platform.ask("follow.confirm", confirm, FollowRow)
    speaker.result(row, say("confirmed", follower=row.follower, sharer=row.sharer))


def follow_list(asked: argparse.Namespace, speaker: Speaker) -> None:
    """List follows."""
    with Platform(asked.data) as platform:
        rows = platform.ask("follow.list", FollowList(asked.person), FollowRows)
    table = [
        [
            row.sharer,
            row.follower,
            say(f"follow_{row.state}"),
            say("yes") if row.may_see_graph else say("no"),
            say("yes") if row.may_be_told else say("no"),
            row.follow,
        ]
        for row in rows.follows
    ]
    heads = [
        say("head_sharer"),
        say("head_follower"),
        say("head_state"),
        say("head_graph"),
        say("head_told"),
        say("head_id"),
    ]
    speaker.table(rows, heads, table, say("follows_none"))


def key_add(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Make a key for a program."""
    with Platform(asked.data) as platform:
        added = platform.ask("key.add", KeyAdd(asked.person, asked.scope, asked.label), KeyAdded)
    speaker.result(added, say("key_added", number=added.key), added.secret)


def key_revoke(asked: argparse.Namespace, speaker: Speaker) -> None:
    """End a key."""
    with Platform(asked.data) as platform:
        done = platform.ask("key.revoke", KeyRevoke(asked.key), Done)
    speaker.result(done, say("key_revoked"))


def health(asked: argparse.Namespace, speaker: Speaker) -> None:
    """Say how the platform is.

    Raises:
        CommandError: It is not well, or none is running.
    """
    with Platform(asked.data) as platform:
        found = platform.ask("health", Nothing(), Health)
    off = [say("health_off", what=", ".join(found.switched_off))] if found.switched_off else []
    speaker.result(found, health_sentence(found), *off, *found.turned_away)
    if not found.well:
        raise CommandError(say("health_refused"), code="not_well")


def health_sentence(found: Health) -> str:
    """How the platform is, in a sentence."""
    return say("health_well", url=found.url) if found.well else say("health_ill", why=found.failing)

"""The command line: each command does what it says through the control socket, and its exit code tells."""

import json
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from nightbell.account.identity import PUBLISH
from nightbell.cli.main import handler_of, parser
from nightbell.follow.follow import FollowState
from nightbell.words.errors import CallerError
from nightbell.words.glucose import CENSORED_LOW
from tests.unit.cli_house import NOW_MS, CliHouse, Said, cli_house, run

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

PASSWORD = "correct horse battery"
CSV = "time,glucose_mgdl\n2026-11-22T09:00:00Z,100\n2026-11-22T09:05:00Z,LOW\nnever,7\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[CliHouse]:
    async with cli_house(tmp_path) as running:
        yield running


async def signs_in(house: CliHouse, name: str, password: str) -> bool:
    """Whether this name and password open the app."""
    try:
        await house.accounts.sign_in(name=name, password=password, device="x", peer="x", now_ms=NOW_MS)
    except CallerError:
        return False
    return True


async def test_a_person_who_was_added_signs_in_to_the_app(house: CliHouse) -> None:
    said = await house.nightbell(
        "person", "add", "Ben", "--email", "ben@example.org", "--unit", "mmol/L", "--zone", "Europe/Lisbon",
        stdin=PASSWORD + "\n",
    )  # fmt: skip

    assert said == Said(0, "Ben can sign in now.\n", "")
    assert await signs_in(house, "Ben", PASSWORD)
    person = house.accounts.person_named("Ben")
    assert person is not None
    assert (person.email, person.unit, person.zone) == ("ben@example.org", "mmol/L", "Europe/Lisbon")
    assert house.accounts.share.share_account_by_name("Ben") is None


async def test_a_share_login_opens_the_share_endpoints_and_never_the_app(house: CliHouse) -> None:
    said = await house.nightbell("person", "add", "Ana", "--share", "--json", stdin=PASSWORD)

    assert said.code == 0
    assert json.loads(said.out)["sharer"] == 0
    assert not await signs_in(house, "Ana", PASSWORD)
    account = house.accounts.share.share_account_by_name("Ana")
    assert account is not None
    assert await house.accounts.share.share_verify_password(
        account=account, password=PASSWORD, peer="x", now_ms=NOW_MS
    )


async def test_one_person_may_have_both_logins_with_two_passwords(house: CliHouse) -> None:
    await house.nightbell("person", "add", "Ana", stdin="for the app")

    said = await house.nightbell("person", "add", "Ana", "--share", stdin="for the phone")

    assert said.code == 0
    assert await signs_in(house, "Ana", "for the app")
    assert not await signs_in(house, "Ana", "for the phone")


@pytest.mark.parametrize("share", [(), ("--share",)])
async def test_a_name_that_is_taken_is_refused(share: tuple[str, ...], house: CliHouse) -> None:
    await house.nightbell("person", "add", "Ana", *share, stdin=PASSWORD)

    said = await house.nightbell("person", "add", "ana", *share, stdin="another one")

    assert said.code == 1
    assert said.err.strip()


async def test_people_are_listed_for_a_person_and_for_a_program(house: CliHouse) -> None:
    nobody = await house.nightbell("person", "list")
    await house.nightbell("person", "add", "Ben", stdin=PASSWORD)
    await house.nightbell("person", "add", "Ana", "--share", stdin=PASSWORD)
    await house.accounts.add_person(name="Canary", password=None, hidden=True, now_ms=NOW_MS)

    table = await house.nightbell("person", "list")
    data = await house.nightbell("person", "list", "--json")

    assert nobody == Said(0, "There is nobody yet.\n", "")
    assert [line.split()[0] for line in table.out.splitlines()] == ["name", "Ana", "Ben"]
    assert [row["name"] for row in json.loads(data.out)["people"]] == ["Ana", "Ben"]


async def test_a_follow_goes_from_invitation_to_confirmation(house: CliHouse) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)
    await house.nightbell("person", "add", "Ben", stdin=PASSWORD)

    invited = await house.nightbell("follow", "invite", "Ana", "--no-graph", "--json")
    link = json.loads(invited.out)["link"]
    accepted = await house.nightbell("follow", "accept", link, "--as", "Ben")
    waiting = await house.nightbell("follow", "list")
    confirmed = await house.nightbell("follow", "confirm", "Ana/Ben")
    listed = await house.nightbell("follow", "list", "Ben", "--json")
    again = await house.nightbell("follow", "accept", link, "--as", "Ben")

    assert (invited.code, accepted.code, confirmed.code, again.code) == (0, 0, 0, 1)
    assert "waits for the sharer" in waiting.out
    (row,) = json.loads(listed.out)["follows"]
    assert (row["sharer"], row["follower"], row["state"]) == ("Ana", "Ben", "active")
    assert (row["may_see_graph"], row["may_be_told"]) == (False, True)
    assert [follow.state for follow in house.follows.everybody()] == [FollowState.ACTIVE]


async def test_a_follow_is_confirmed_by_its_id_too(house: CliHouse) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)
    await house.nightbell("person", "add", "Ben", stdin=PASSWORD)
    secret = json.loads((await house.nightbell("follow", "invite", "Ana", "--json")).out)["secret"]
    row = json.loads((await house.nightbell("follow", "accept", secret, "--as", "Ben", "--json")).out)

    assert (await house.nightbell("follow", "confirm", row["follow"])).code == 0
    assert (await house.nightbell("follow", "confirm", "Ana/Cleo")).code == 1


async def test_a_key_publishes_until_it_is_revoked(house: CliHouse) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)

    added = json.loads((await house.nightbell("key", "add", "Ana", "--label", "old phone", "--json")).out)
    identity = house.accounts.identify(added["secret"], NOW_MS)
    revoked = await house.nightbell("key", "revoke", added["key"])

    assert identity is not None
    assert identity.scopes == {PUBLISH}
    assert revoked.code == 0
    assert house.accounts.identify(added["secret"], NOW_MS) is None
    assert (await house.nightbell("key", "revoke", "not-a-key")).code == 1


async def test_an_import_is_filed_under_its_own_times(house: CliHouse, tmp_path: Path) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)
    file = tmp_path / "day.csv"
    file.write_text(CSV + "2026-01-01T00:00:00Z,90\n2030-01-01T00:00:00Z,90\n")

    said = await house.nightbell("publish", str(file), "--as", "ana", "--import", "--json")

    assert said.code == 0
    assert json.loads(said.out) == {"filed": 3, "refused": 1, "expiring": 1, "unreadable": 1}
    assert [reading.level for reading in house.history.readings] == [90, 100, CENSORED_LOW]
    assert {(reading.sharer, reading.source) for reading in house.history.readings} == {(0, 0)}


async def test_an_import_that_cannot_be_kept_is_refused_with_the_reason(
    house: CliHouse, tmp_path: Path
) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)
    (tmp_path / "day.csv").write_text(CSV)
    house.history.full = True

    said = await house.nightbell("publish", str(tmp_path / "day.csv"), "--as", "Ana", "--import")

    assert said.code == 1
    assert "The disk is full" in said.err


async def test_only_the_day_that_was_asked_for_is_sent(house: CliHouse, tmp_path: Path) -> None:
    await house.nightbell("person", "add", "Ana", "--zone", "America/New_York", stdin=PASSWORD)
    file = tmp_path / "days.csv"
    file.write_text("time,glucose_mgdl\n2026-11-20T23:59,90\n2026-11-21T00:00,91\n2026-11-22T00:00,92\n")

    await house.nightbell("publish", str(file), "--as", "Ana", "--import", "--day", "2026-11-21")
    none = await house.nightbell("publish", str(file), "--as", "Ana", "--import", "--day", "2026-01-21")

    assert [(reading.level, reading.measured_ms) for reading in house.history.readings] == [
        (91, 1_795_237_200_000)
    ]
    assert none.code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("publish", "gone.csv", "--as", "Ana"), 1),
        (("publish", "gone.csv", "--as", "Nobody"), 1),
        (("publish", "gone.csv", "--as", "Ana", "--speed", "0"), 2),
        (("publish", "gone.csv", "--as", "Ana", "--speed", "301"), 2),
        (("publish", "gone.csv", "--as", "Ana", "--speed", "fast"), 2),
        (("publish", "gone.csv"), 2),
        (("follow", "invite", "Nobody"), 1),
        (("key", "add", "Ana", "--scope", "admin"), 2),
        (("person", "add"), 2),
        (("dance",), 2),
    ],
)
async def test_exit_codes_tell_refusals_from_wrong_usage(
    arguments: tuple[str, ...], code: int, house: CliHouse
) -> None:
    await house.nightbell("person", "add", "Ana", stdin=PASSWORD)

    said = await house.nightbell(*arguments)

    assert said.code == code
    assert said.out == ""
    assert said.err


async def test_a_password_must_be_there(house: CliHouse) -> None:
    assert (await house.nightbell("person", "add", "Ana", stdin="\n")).code == 2
    assert (await house.nightbell("person", "add", "Ana", stdin="x" * 2_000)).code == 2
    assert list(house.accounts.people()) == []


async def test_health_tells_a_script_by_its_exit_code(house: CliHouse) -> None:
    well = await house.nightbell("health", "--json")
    house.health = house.health.__class__(False, "", 7, 0, 0, 0, "The disk is full.")
    ill = await house.nightbell("health")

    assert well.code == 0
    assert json.loads(well.out)["well"] is True
    assert (ill.code, "The disk is full." in ill.out) == (1, True)


async def test_who_is_turned_away_is_said_and_is_no_failure(house: CliHouse) -> None:
    away = "So we put off all of these: exports."
    house.health = msgspec.structs.replace(house.health, turned_away=[away])

    health = await house.nightbell("health")
    status = await house.nightbell("status")

    assert (health.code, away in " ".join(health.out.split())) == (0, True)
    assert away in " ".join(status.out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("person", "list"),
        ("follow", "list"),
        ("health",),
        ("key", "revoke", "k"),
        ("publish", "f", "--as", "Ana"),
    ],
)
def test_without_a_platform_the_exit_code_is_three(arguments: tuple[str, ...], tmp_path: Path) -> None:
    said = run([*arguments, "--data", str(tmp_path)])

    assert said.code == 3
    assert f"nightbell up --data {tmp_path}" in said.err


def test_errors_are_json_too_if_asked(tmp_path: Path) -> None:
    said = run(["person", "list", "--json", "--data", str(tmp_path)])

    assert (said.code, json.loads(said.err)["code"]) == (3, "not_running")


def commands(of: ArgumentParser, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], ArgumentParser]]:
    """Every command that does something, with its words."""
    groups = [action for action in of._actions if isinstance(action, _SubParsersAction)]
    if not groups:
        return [(path, of)]
    return [found for name, inner in groups[0].choices.items() for found in commands(inner, (*path, name))]


ALL = commands(parser())


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_has_help_with_an_example_and_the_common_options(
    path: tuple[str, ...], command: ArgumentParser
) -> None:
    said = run([*path, "--help"])

    assert said.code == 0
    assert "Example:\n  " in said.out
    assert f"nightbell {' '.join(path)}" in said.out.split("Example:")[1]
    assert "--data DIR" in said.out
    assert "--json" in said.out
    assert handler_of(command.get_default("handler")) is not None


def test_the_commands_of_the_guidance_are_there() -> None:
    assert {" ".join(path) for path, _ in ALL} >= {
        "up", "watch", "person add", "person list", "follow invite", "follow accept", "follow confirm",
        "follow list", "key add", "key revoke", "publish", "bench", "config check", "config show",
    }  # fmt: skip


def test_config_says_what_is_wrong_and_what_there_is(tmp_path: Path) -> None:
    fine = run(["config", "check", "--data", str(tmp_path)])
    shown = run(["config", "show", "--defaults", "--data", str(tmp_path)])
    (tmp_path / "settings.toml").write_text(shown.out)
    same = run(["config", "check", "--data", str(tmp_path), "--json"])
    (tmp_path / "settings.toml").write_text("jurnal_days = 3\n")
    wrong = run(["config", "check", "--data", str(tmp_path)])

    assert (fine.code, shown.code, same.code, wrong.code) == (0, 0, 0, 1)
    assert "no https" in fine.out
    assert json.loads(same.out)["there"] is True
    assert "Did you mean journal_days" in wrong.err


async def test_status_says_the_numbers_in_words_and_ends_as_health_does(house: CliHouse) -> None:
    well = await house.nightbell("status")
    as_json = await house.nightbell("status", "--json")
    house.health = house.health.__class__(False, "", 7, 0, 0, 0, "The disk is full.")
    ill = await house.nightbell("status")

    assert well.code == 0
    assert "age of the newest reading" in well.out
    assert "61 s" in well.out
    assert "more than 60 min" in well.out
    assert "none yet" in well.out
    assert json.loads(as_json.out)["lines"][0] == {
        "key": "newest_age", "unit": "seconds", "value": 61.0, "more": False
    }  # fmt: skip
    assert (ill.code, "The disk is full." in ill.out) == (1, True)

"""Freeze the files of a release: a small platform is run, and its files are written as SQL to tests/released.

    .venv/bin/python tools/freeze_release.py 0.2

Run once for each release, with its code, and never again: tests/acceptance/test_released.py opens the files
of every version with the code of today.
"""

import asyncio
import base64
import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from nightbell.app.control_commands import ControlCommands
from nightbell.app.control_words import FollowAccept, FollowConfirm, FollowInvite, KeyAdd, PersonAdd
from nightbell.app.platform import Platform
from nightbell.app.settings import load
from nightbell.words.clock import ManualClock

ROOT = Path(__file__).resolve().parents[1] / "tests" / "released"
STARTED_MS = 1_795_342_200_000
"""2026-11-22T10:10:00Z."""

MINUTE_MS = 60_000
PASSWORD = "a long password of the cast"  # noqa: S105 the people are not real
SHARE = "/ShareWebServices/Services/General/LoginPublisherAccountByName"
APP = "d89443d2-327c-4a6f-89e5-496bbb0317db"
HOURS = 7
LOW_AT_MINUTE = 380


async def evaluated(platform: Platform) -> None:
    """Wait until the clock's time is evaluated."""
    while platform.evaluation.evaluated_tick_ms < platform.clock.now_ms():  # noqa: ASYNC110 it says so itself
        await asyncio.sleep(0.02)


async def make_people(commands: ControlCommands, client: httpx.AsyncClient) -> dict[str, Any]:
    """Ana shares, Ben follows with alarms, Cleo without, Dan sees nothing; the ways in."""
    made = {name: (await commands.person_add(PersonAdd(name, PASSWORD))).person for name in ("Ana", "Ben")}
    for name in ("Cleo", "Dan"):
        made[name] = (await commands.person_add(PersonAdd(name, PASSWORD))).person
    await commands.person_add(PersonAdd("Ana's phone", PASSWORD, share=True))
    for follower in ("Ben", "Cleo"):
        asked = FollowInvite("Ana", may_be_told=follower == "Ben")
        invited = await commands.follow_invite(asked)
        follow = await commands.follow_accept(FollowAccept(invited.secret, follower))
        await commands.follow_confirm(FollowConfirm(follow.follow))
    login = {"accountName": "Ana's phone", "password": PASSWORD, "applicationId": APP}
    session = (await client.post(SHARE, json=login)).json()
    key = (await commands.key_add(KeyAdd("Ana", "publish"))).secret
    ben = (await commands.key_add(KeyAdd("Ben", "follow"))).secret
    return {"people": made, "publish_key": key, "follow_key": ben, "share_session": session}


async def live(platform: Platform, clock: ManualClock) -> dict[str, Any]:
    """Some hours of readings with one low that Ben answers; blocks of history close on the way."""
    async with httpx.AsyncClient(base_url=platform.url, trust_env=False) as client:
        made = await make_people(platform.commands, client)
        readings = []
        for minute in range(0, HOURS * 60, 5):
            level = 50 if minute == LOW_AT_MINUTE else 100 + minute % 40
            measured_ms = clock.now_ms()
            body = {"readings": [{"measured_at": measured_ms, "glucose_mgdl": level}]}
            headers = {"authorization": f"Bearer {made['publish_key']}"}
            (await client.post("/v1/readings", json=body, headers=headers)).raise_for_status()
            readings.append([measured_ms, level])
            await evaluated(platform)
            if minute == LOW_AT_MINUTE:
                made["alarm"] = await answer_low(client, made)
            clock.advance_ms(5 * MINUTE_MS)
            await evaluated(platform)
    return {**made, "readings": readings, "until_ms": clock.now_ms()}


async def answer_low(client: httpx.AsyncClient, made: dict[str, Any]) -> str:
    """Ben has it."""
    headers = {"authorization": f"Bearer {made['follow_key']}"}
    alarms: list[str] = []
    while not alarms:
        await asyncio.sleep(0.1)
        listed = await client.get(f"/v1/people/{made['people']['Ana']}/alarms", headers=headers)
        alarms = [alarm["id"] for alarm in listed.json()["alarms"] if alarm["family"] == "low"]
    (await client.post(f"/v1/alarms/{alarms[0]}/answer", headers=headers)).raise_for_status()
    return alarms[0]


def dump(database: Path, target: Path) -> None:
    """A file as SQL, with what SQLite's own dump leaves out."""
    with closing(sqlite3.connect(database)) as connection:
        marks = [
            f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};"
            for name in ("application_id", "user_version")
        ]
        target.write_text("\n".join([*marks, *connection.iterdump()]) + "\n", encoding="utf-8")


def dump_all(folder: Path, target: Path) -> None:
    """Everything that a later version must be able to read."""
    for path in [*folder.glob("*.sqlite"), *(folder / "journal").glob("*.sqlite")]:
        dump(path, target / f"{path.stem}.sql")
    fold = (folder / "checkpoint" / "fold").read_bytes()
    (target / "checkpoint.txt").write_text(base64.encodebytes(fold).decode(), encoding="ascii")


async def freeze(version: str) -> None:
    """Make the files of this version."""
    target = ROOT / version
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        folder, clock = Path(made), ManualClock(STARTED_MS)
        chosen = {"listen": "127.0.0.1:0", "canary": False}
        platform = Platform(folder, load(folder, {}, chosen=chosen), tls=None, clock=clock)
        await platform.start()
        lived = await live(platform, clock)
        await platform.close()
        dump_all(folder, target)
    (target / "lived.json").write_text(json.dumps(lived, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(freeze(sys.argv[1]))

"""The command line against a real platform: what a new user does, from the first person to the ring."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.running import asked, nightbell, running

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket]

RING_S_MAX = 100
"""Longer than the demo promises (two minutes from the start, less what the start itself took)."""


@contextmanager
def signed_in(url: str, name: str, password: str) -> Iterator[httpx.Client]:
    """A program that follows as this person."""
    with httpx.Client(base_url=url, trust_env=False, timeout=RING_S_MAX) as client:
        answer = client.post("/v1/sign-in", json={"name": name, "password": password, "device": "test"})
        assert answer.status_code == 200
        client.headers["authorization"] = f"Bearer {answer.json()['token']}"
        yield client


def first_told(client: httpx.Client) -> dict[str, Any]:
    """The first thing that this person is told."""
    with closing(all_told(client)) as telling:
        return next(telling)


def all_told(client: httpx.Client) -> Generator[dict[str, Any], None, None]:
    """Every notification of the stream, also those that were there when it began."""
    name = ""
    with client.stream("GET", "/v1/stream") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == "notification":
                yield json.loads(line.removeprefix("data: "))
            elif line.startswith("data: ") and name == "snapshot":
                for person in json.loads(line.removeprefix("data: "))["people"]:
                    yield from person["told"]


@pytest.mark.timeout(180)
def test_a_recording_published_by_a_new_user_rings_at_the_follower(tmp_path: Path) -> None:
    recording = tmp_path / "night.csv"
    recording.write_text(
        "time,glucose_mgdl\n" + "".join(f"2024-03-17T02:{5 * at:02}:00,{110 - 10 * at}\n" for at in range(7))
    )
    with running(tmp_path / "bell") as url:
        folder = tmp_path / "bell"
        nightbell(folder, "person", "add", "Ana", stdin="the first password\n")
        nightbell(folder, "person", "add", "Ben", stdin="the second password\n")
        link = asked(folder, "follow", "invite", "Ana")["link"]
        nightbell(folder, "follow", "accept", link, "--as", "Ben")
        nightbell(folder, "follow", "confirm", "Ana/Ben")
        sent = asked(folder, "publish", str(recording), "--as", "Ana", "--speed", "300")
        with signed_in(url, "Ben", "the second password") as ben:
            ring = first_told(ben)

    assert sent == {"sent": 7, "refused": 0, "low": 2, "unreadable": 0}
    assert ring["urgent"] is True
    assert ring["subject"].startswith("Ana is VERY LOW")


@pytest.mark.timeout(180)
def test_the_demo_rings_by_itself_and_says_that_nobody_is_real(tmp_path: Path) -> None:
    with running(tmp_path, "--demo", said="goes low") as url:
        people = asked(tmp_path, "person", "list")["people"]
        state = json.loads((tmp_path / "demo.json").read_text())
        with signed_in(url, "Demo Ben", state["password"]) as ben:
            ring = first_told(ben)

    assert all(person["name"].startswith("Demo ") for person in people)
    assert len([person for person in people if person["sharer"] >= 0]) == 3
    assert ring["subject"].startswith("Demo Ana is VERY LOW")

"""The recipe for Home Assistant: its YAML is whole, and its templates take what we post and nothing else."""

import re
from typing import Any, Final

import jinja2
import pytest
import yaml
from jinja2.sandbox import SandboxedEnvironment

from nightbell.adapters.channels.webhook.channel import WebhookBody
from nightbell.deliver.compose import compose
from nightbell.deliver.ports import Contact
from nightbell.words.catalogue import catalogue
from tests.simulators.cast import ALARM, NOW_MS, ring
from tests.tidy.source import ROOT

RECIPE: Final = (ROOT / "docs" / "recipes" / "home-assistant.md").read_text(encoding="utf-8")


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML comes without types
    """YAML as Home Assistant reads it: `!secret` names something kept elsewhere."""


Loader.add_constructor("!secret", lambda loader, node: f"secret:{loader.construct_scalar(node)}")

BLOCKS: Final[list[Any]] = [
    yaml.load(block, Loader)  # noqa: S506 a safe loader
    for block in re.findall(r"```yaml\n(.*?)```", RECIPE, re.DOTALL)
]
SECRETS, CONFIGURATION, (TOLD, ANSWERED) = BLOCKS


def environment() -> jinja2.Environment:
    """Templates with the words of Home Assistant that the recipe uses."""
    made = SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    made.globals["now"] = lambda: NOW_MS / 1000
    made.globals["as_timestamp"] = lambda at: at
    made.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    made.filters["float"] = lambda value, default: value if isinstance(value, int | float) else default
    return made


def rendered(template: str, **variables: object) -> str:
    return environment().from_string(template).render(**variables)


def passes(automation: dict[str, Any], **variables: object) -> bool:
    """Whether all conditions hold, asked in their order."""
    assert all(condition["condition"] == "template" for condition in automation["conditions"])
    templates = [condition["value_template"] for condition in automation["conditions"]]
    return all(rendered(template, **variables) == "True" for template in templates)


def posted(**changes: object) -> dict[str, Any]:
    """What we post for Ana's urgent low."""
    message = compose(
        ring(),
        contact=Contact("ben", "Ben"),
        sharer_name="Ana",
        name_of=lambda _: "",
        now_ms=NOW_MS,
        words=catalogue(),
    )
    body = {name: getattr(message, name) for name in WebhookBody.__struct_fields__ if name != "id"}
    return {**body, "id": f"{message.id}.webhook", **changes}


def test_an_alarm_rings_through_silent_mode_on_both_kinds_of_phones_and_turns_the_light_on() -> None:
    (choice,) = TOLD["actions"][0]["choose"]
    phone, light = choice["sequence"]
    shown = phone["data"]["data"]

    assert passes(TOLD, trigger={"json": posted()})
    assert rendered(choice["conditions"][0]["value_template"], trigger={"json": posted()}) == "True"
    assert shown["push"]["sound"] == {"name": "default", "critical": 1, "volume": 1.0}
    assert shown["push"]["interruption-level"] == "critical"
    assert (shown["ttl"], shown["priority"], shown["channel"]) == (0, "high", "alarm_stream")
    assert light["action"] == "light.turn_on"
    assert phone["continue_on_error"] is True


def test_what_is_not_urgent_does_not_wake() -> None:
    (choice,) = TOLD["actions"][0]["choose"]
    (phone,) = TOLD["actions"][0]["default"]

    calm = {"json": posted(urgent=False)}

    assert rendered(choice["conditions"][0]["value_template"], trigger=calm) == "False"
    assert set(phone["data"]["data"]) == {"tag"}


def test_what_we_post_is_shown_as_it_is() -> None:
    trigger = {"json": posted()}
    phone = TOLD["actions"][0]["choose"][0]["sequence"][0]["data"]

    assert rendered(phone["title"], trigger=trigger) == trigger["json"]["subject"]
    assert rendered(phone["message"], trigger=trigger) == trigger["json"]["text"]
    assert rendered(phone["data"]["tag"], trigger=trigger) == f"nightbell_{ALARM}"


@pytest.mark.parametrize(
    "trigger",
    [
        {"json": posted(made_ms=NOW_MS - 16 * 60_000)},
        {"json": posted(made_ms=NOW_MS + 16 * 60_000)},
        {"json": posted(made_ms="now")},
        {"json": posted(fields={"alarm": "../../v1/me"})},
        {"json": posted(fields={"alarm": "A" * 32})},
        {"json": posted(fields={"alarm": 5})},
        {"json": posted(fields=[])},
        {"json": []},
        {"json": "text"},
    ],
    ids=["old", "ahead", "no time", "a path", "not hex", "a number", "no fields", "a list", "a text"],
)
def test_what_is_old_or_not_ours_is_dropped(trigger: dict[str, object]) -> None:
    assert not passes(TOLD, trigger=trigger)


def test_the_button_answers_that_very_alarm_by_a_post_with_the_key() -> None:
    phone = TOLD["actions"][0]["choose"][0]["sequence"][0]["data"]["data"]
    pressed = rendered(phone["actions"][0]["action"], trigger={"json": posted()})
    trigger = {"event": {"data": {"action": pressed}}}
    answer, unless = ANSWERED["actions"]
    command = CONFIGURATION["rest_command"][answer["action"].partition(".")[2]]

    alarm = rendered(answer["data"]["alarm"], trigger=trigger)

    assert passes(ANSWERED, trigger=trigger)
    assert rendered(command["url"], alarm=alarm) == f"https://bell.example.org/v1/alarms/{ALARM}/answer"
    assert command["method"] == "post"
    assert command["headers"] == {"authorization": "secret:nightbell_bearer"}
    assert SECRETS["nightbell_bearer"].startswith("Bearer ")
    assert TOLD["triggers"][0]["webhook_id"] == "secret:nightbell_webhook"
    assert "nightbell_webhook" in SECRETS
    for said, told in (({"status": 200}, "False"), ({"status": 503}, "True")):
        assert rendered(unless["if"][0]["value_template"], said=said) == told
    assert rendered(unless["if"][0]["value_template"]) == "True"


@pytest.mark.parametrize(
    "action", ["OTHER", "NIGHTBELL_", "NIGHTBELL_../me", f"NIGHTBELL_{ALARM}/undo", 5, None]
)
def test_another_button_answers_nothing(action: object) -> None:
    assert not passes(ANSWERED, trigger={"event": {"data": {"action": action}}})


def test_only_a_post_is_taken() -> None:
    assert TOLD["triggers"][0]["allowed_methods"] == ["POST"]

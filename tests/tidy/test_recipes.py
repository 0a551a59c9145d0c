"""The recipe for Prometheus: its YAML is YAML, and its rules speak of numbers that there are."""

import re
from typing import Any, Final

import pytest
import yaml

from nightbell.app.metrics.definitions import BY_NAME, PREFIX, Kind
from tests.tidy.source import ROOT

RECIPE: Final = (ROOT / "docs" / "recipes" / "prometheus.md").read_text(encoding="utf-8")
BLOCKS: Final = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", RECIPE, re.DOTALL)]
RULES: Final[list[dict[str, Any]]] = [
    rule for block in BLOCKS for group in block.get("groups", ()) for rule in group["rules"]
]
DURATION: Final = re.compile(r"[0-9]+[smhd]")


def series(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Every series a rule names, with what it asks of its labels."""
    found = re.findall(rf"({PREFIX}[a-z_]+)(?:\{{([^}}]*)\}})?", expression)
    return [(name, dict(re.findall(r'(\w+)=~?"([^"]*)"', asked))) for name, asked in found]


def test_it_scrapes_what_the_setting_says() -> None:
    scrapes = next(block for block in BLOCKS if "scrape_configs" in block)["scrape_configs"]

    targets = scrapes[0]["static_configs"][0]["targets"]

    assert f'metrics_listen = "{targets[0]}"' in RECIPE
    assert 'up{job="' + scrapes[0]["job_name"] in RULES[0]["expr"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_whole_and_asks_for_numbers_that_there_are(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["expr"].count("(") == rule["expr"].count(")")
    for name, labels in series(rule["expr"]):
        metric = BY_NAME[name.removeprefix(PREFIX).removesuffix("_bucket")]
        assert name.endswith("_bucket") == (metric.kind is Kind.HISTOGRAM)
        for label, asked in labels.items():
            assert set(asked.split("|")) <= set(metric.labels[label]), f"{name} has no {label}={asked}"


def test_every_first_thing_that_must_not_be_silent_has_a_rule() -> None:
    asked = {name for rule in RULES for name, _ in series(rule["expr"])}

    for name in ("newest_reading_age_seconds", "evaluated_tick_age_seconds", "well", "waiting_age_seconds"):
        assert PREFIX + name in asked
    assert any("absent(" in rule["expr"] for rule in RULES)

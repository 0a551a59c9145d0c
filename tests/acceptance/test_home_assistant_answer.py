"""The button of the recipe for Home Assistant: its call answers an alarm, with a key for following."""

import re
from typing import Final

from nightbell.words.clock import ManualClock
from tests.acceptance.web_house import open_web_house
from tests.tidy.source import ROOT

NOW_MS: Final = 1_795_345_200_000
RECIPE: Final = (ROOT / "docs" / "recipes" / "home-assistant.md").read_text(encoding="utf-8")


async def test_the_call_of_the_recipe_answers_with_the_key_of_the_recipe_and_with_no_other() -> None:
    found = re.search(r'url: "https://bell\.example\.org(/v1/[^"]+)"\n\s+method: (\w+)\n', RECIPE)
    assert found is not None
    async with open_web_house(ManualClock(NOW_MS)) as house:
        people = await house.cast()
        await house.publish_levels(people.ana, [90, 70, 48])
        alarm = await house.ringing(people.ana)
        path = found.group(1).replace("{{ alarm }}", alarm.id)
        statuses = {}
        for who, person, scope in (
            ("publisher", people.ana, "publish"),
            ("stranger", people.dan, "follow"),
            ("follower", people.ben, "follow"),
        ):
            key = await house.accounts.add_key(
                person_id=person.id, scope=scope, label="Home Assistant", now_ms=NOW_MS
            )
            async with house.client(key.secret) as client:
                looked = await client.get(path)
                answer = await client.request(found.group(2).upper(), path)
            assert looked.status_code >= 400, "a GET answers nothing"
            statuses[who] = answer.status_code
        open_now = house.hub.board.open_alarms
        answered = await house.eventually(
            lambda: next((one for one in open_now(people.ana.sharer) if one.answered_by), None)
        )

    assert statuses == {"publisher": 403, "stranger": 404, "follower": 200}
    assert answered.answered_by == people.ben.id

"""Alarms: their story, the answer to them, and the receipts of what was told."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.params import JSONBody, PathParameter

from nightbell.alarm.effects import AlarmView, Entry
from nightbell.deliver.record import Told
from nightbell.web.api.forms import alarm_out
from nightbell.web.asking import Asking, InAsking, InHouse
from nightbell.web.gather import newest_of, nothing_here, story_of
from nightbell.web.ports import House
from nightbell.web.show.alarms import Reader, story_entry, told_line
from nightbell.web.show.readings import rely_until_ms
from nightbell.web.wire import AlarmStory, Done, EntryOut, OneAlarm, ReceiptIn, StepOut, ToldOut

AlarmId = Annotated[str, PathParameter(description="Alarm id: 32 hex digits.", max_length=64)]
NotificationId = Annotated[str, PathParameter(description="Notification id: 32 hex digits.", max_length=64)]


class AlarmsApi(Controller):
    """Answering, and what became of an alarm."""

    path = "/v1"
    tags = ("alarms",)

    @get("/alarms/{alarm_id:str}", operation_id="alarm")
    async def alarm(self, house: InHouse, asking: InAsking, alarm_id: AlarmId) -> AlarmStory:
        """One alarm: what happened and why, who was told and how that went."""
        caller, reader, now_ms = asking
        alarm, person, timeline = await story_of(house, caller, alarm_id, now_ms=now_ms)
        newest = newest_of(house, person.sharer)
        return AlarmStory(
            server_ms=now_ms,
            rely_until_ms=rely_until_ms(newest.measured_ms if newest else 0),
            alarm=alarm_out(alarm, person, reader),
            entries=[_entry_out(entry, reader) for entry in (timeline.entries if timeline else ())],
            told=[_told_out(told, alarm, reader) for told in (timeline.told if timeline else ())],
            cut=timeline is not None and timeline.cut,
        )

    @post("/alarms/{alarm_id:str}/answer", status_code=200, operation_id="answer")
    async def answer(self, house: InHouse, asking: InAsking, alarm_id: AlarmId) -> OneAlarm:
        """Say "I've got it": stops the ringing for everybody, for what rang so far, for 15 minutes."""
        alarm = await house.answers.take(
            alarm=alarm_id, identity=asking.caller.identity, now_ms=asking.now_ms
        )
        return _one_alarm(alarm, house, asking)

    @post("/alarms/{alarm_id:str}/answer/undo", status_code=200, operation_id="undo_answer")
    async def undo(self, house: InHouse, asking: InAsking, alarm_id: AlarmId) -> OneAlarm:
        """Take the answer back, within five seconds."""
        alarm = await house.answers.undo(
            alarm=alarm_id, identity=asking.caller.identity, now_ms=asking.now_ms
        )
        return _one_alarm(alarm, house, asking)

    @post("/notifications/{notification_id:str}/receipt", status_code=200, operation_id="receipt")
    async def receipt(
        self, house: InHouse, asking: InAsking, notification_id: NotificationId, data: JSONBody[ReceiptIn]
    ) -> Done:
        """Prove that a notification arrived, or that a person looked at it. Neither is an answer."""
        await house.deliver.receipt(
            notification=notification_id,
            person=asking.caller.person.id,
            state=data.state,
            now_ms=asking.now_ms,
            channel=data.channel,
        )
        return Done()


def _entry_out(entry: Entry, reader: Reader) -> EntryOut:
    line = story_entry(entry, reader)
    return EntryOut(entry.at_ms, entry.kind.value, line.title, line.reason)


def _told_out(told: Told, alarm: AlarmView, reader: Reader) -> ToldOut:
    line = told_line(told, alarm, reader)
    steps = [StepOut(step.text, step.done) for step in line.steps]
    return ToldOut(line.name, line.what, told.notification.at_ms, steps)


def _one_alarm(alarm: AlarmView, house: House, asking: Asking) -> OneAlarm:
    person = house.accounts.sharer(alarm.sharer)
    if person is None:
        raise nothing_here(house)
    newest = newest_of(house, alarm.sharer)
    return OneAlarm(
        server_ms=asking.now_ms,
        rely_until_ms=rely_until_ms(newest.measured_ms if newest else 0),
        alarm=alarm_out(alarm, person, asking.reader),
    )

"""The ledger in memory: the same promises as the one on disk, as long as the process lives."""

from nightbell.alarm.effects import AlarmState, AlarmView, Entry, Notification
from nightbell.deliver.record import (
    Batch,
    Delivery,
    DeliveryState,
    HandedOver,
    LedgerFault,
    Opened,
    Timeline,
    Told,
    Waiting,
)
from nightbell.tell.attempt import Attempt, AttemptResult, Receipt
from nightbell.words.catalogue import catalogue
from nightbell.words.errors import ErrorCode, PlatformError


class MemoryLedger:
    """A `deliver.ports.Ledger` in dictionaries."""

    def __init__(self) -> None:
        self._open = False
        self._upto_seq = 0
        self._alarms: dict[str, AlarmView] = {}
        self._entries: dict[tuple[str, int], Entry] = {}
        self._notifications: dict[str, Notification] = {}
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._attempts: dict[tuple[str, str, int], Attempt] = {}
        self._receipts: dict[tuple[str, str, str], Receipt] = {}

    async def open(self, now_ms: int) -> Opened:  # noqa: ARG002 the port has it
        """Open; opening again keeps what there is, like a restart."""
        self._open = True
        still_open = {key for key, alarm in self._alarms.items() if alarm.state is not AlarmState.RESOLVED}
        newest: dict[tuple[str, int], Notification] = {}
        for told in self._notifications.values():
            known = newest.get((told.alarm, told.follow))
            if told.alarm in still_open and (known is None or told.step > known.step):
                newest[told.alarm, told.follow] = told
        alarms = sorted((self._alarms[key] for key in still_open), key=lambda a: (a.opened_ms, a.id))
        return Opened(self._upto_seq, "", tuple(alarms), tuple(newest.values()))

    async def close(self) -> None:
        """Close; what was written stays until the object goes."""
        self._open = False

    def _assert_open(self) -> None:
        if not self._open:
            fault = LedgerFault.CLOSED
            sentence = catalogue().say(f"deliver.ledger_{fault}")
            raise PlatformError(ErrorCode.NOT_DURABLE, sentence, fault=fault)

    async def write(self, batch: Batch) -> frozenset[str]:
        """Write the batch; nothing awaits in between, so it is one step for everybody else."""
        self._assert_open()
        for alarm in batch.alarms:
            known = self._alarms.get(alarm.id)
            if known is None or alarm.version > known.version:
                self._alarms[alarm.id] = alarm
        for entry in batch.entries:
            self._entries.setdefault((entry.alarm, entry.number), entry)
        new = frozenset(told.id for told in batch.notifications if told.id not in self._notifications)
        for told in batch.notifications:
            self._notifications.setdefault(told.id, told)
        for delivery in batch.deliveries:
            self._write_delivery(delivery)
        for attempt in batch.attempts:
            self._attempts.setdefault((attempt.message, attempt.channel, attempt.number), attempt)
        for receipt in batch.receipts:
            self._receipts.setdefault((receipt.message, receipt.channel, receipt.state), receipt)
        self._upto_seq = max(self._upto_seq, batch.upto_seq)
        return new

    def _write_delivery(self, delivery: Delivery) -> None:
        known = self._deliveries.get((delivery.notification, delivery.channel))
        if known is not None and (
            known.state is not DeliveryState.WAITING
            or (delivery.state is DeliveryState.WAITING and delivery.tries <= known.tries)
        ):
            return
        self._deliveries[delivery.notification, delivery.channel] = delivery

    async def waiting(self, *, limit: int) -> list[Waiting]:
        """Deliveries that wait, earliest due first."""
        self._assert_open()
        due = sorted(
            (d for d in self._deliveries.values() if d.state is DeliveryState.WAITING), key=lambda d: d.due_ms
        )
        return [Waiting(d, self._notifications[d.notification]) for d in due[:limit]]

    async def handed_over(self, *, after_ms: int, limit: int) -> list[HandedOver]:
        """What providers took of open alarms, newest first."""
        self._assert_open()
        tries = sorted(self._attempts.values(), key=lambda attempt: -attempt.at_ms)
        found = [
            HandedOver(
                self._notifications[one.message],
                one.channel,
                one.provider_id,
                one.at_ms,
                any((one.message, one.channel, state) in self._receipts for state in ("seen", "failed")),
            )
            for one in tries
            if one.result is AttemptResult.SENT and one.at_ms > after_ms
        ]
        is_open = {key for key, alarm in self._alarms.items() if alarm.state is not AlarmState.RESOLVED}
        return [one for one in found if one.notification.alarm in is_open][:limit]

    async def notification(self, notification_id: str) -> Notification | None:
        """One notification."""
        self._assert_open()
        return self._notifications.get(notification_id)

    async def alarm(self, alarm_id: str) -> AlarmView | None:
        """One alarm."""
        self._assert_open()
        return self._alarms.get(alarm_id)

    async def alarms_of(self, *, sharer: int, limit: int) -> list[AlarmView]:
        """Alarms of a sharer, newest first."""
        self._assert_open()
        theirs = [alarm for alarm in self._alarms.values() if alarm.sharer == sharer]
        return sorted(theirs, key=lambda alarm: (-alarm.opened_ms, alarm.id))[:limit]

    async def timeline(self, alarm_id: str, *, limit: int) -> Timeline | None:
        """Everything about one alarm."""
        self._assert_open()
        alarm = self._alarms.get(alarm_id)
        if alarm is None:
            return None
        entries = sorted((e for e in self._entries.values() if e.alarm == alarm_id), key=lambda e: e.number)
        told = sorted(
            (n for n in self._notifications.values() if n.alarm == alarm_id),
            key=lambda n: (n.at_ms, n.follow, n.step),
        )
        return Timeline(
            alarm=alarm,
            entries=tuple(entries[-limit:]),
            told=tuple(self._told(notification) for notification in told[-limit:]),
            cut=len(entries) > limit or len(told) > limit,
        )

    def _told(self, notification: Notification) -> Told:
        key = notification.id
        deliveries = [d for d in self._deliveries.values() if d.notification == key]
        attempts = [a for a in self._attempts.values() if a.message == key]
        receipts = [r for r in self._receipts.values() if r.message == key]
        return Told(
            notification=notification,
            deliveries=tuple(sorted(deliveries, key=lambda d: d.channel)),
            attempts=tuple(sorted(attempts, key=lambda a: (a.at_ms, a.channel, a.number))),
            receipts=tuple(sorted(receipts, key=lambda r: (r.at_ms, r.channel, r.state))),
        )

    async def forget(self, *, before_ms: int, limit: int) -> int:
        """Delete what was over before."""
        self._assert_open()
        over = sorted(
            (
                a
                for a in self._alarms.values()
                if a.state is AlarmState.RESOLVED and a.resolved_ms < before_ms
            ),
            key=lambda alarm: alarm.resolved_ms,
        )[:limit]
        gone = {alarm.id for alarm in over}
        untold = {key for key, told in self._notifications.items() if told.alarm in gone}
        for alarm in gone:
            del self._alarms[alarm]
        self._entries = {key: e for key, e in self._entries.items() if e.alarm not in gone}
        self._notifications = {key: n for key, n in self._notifications.items() if key not in untold}
        self._deliveries = {key: d for key, d in self._deliveries.items() if d.notification not in untold}
        self._attempts = {key: a for key, a in self._attempts.items() if a.message not in untold}
        self._receipts = {key: r for key, r in self._receipts.items() if r.message not in untold}
        return len(over)

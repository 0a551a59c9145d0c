"""The intake: what has come in and is not yet in the ledger, as one bounded, mergeable batch. Pure.

Everything is keyed as in the ledger, so what comes twice is held once. When it is full, lines of timelines
and records of tries give way: no alarm and no notification ever does, and the mark of how far the ledger has
come stays where it is, so that the next start builds the missing lines again from the journal.

While the ledger is dead for days even that is too much. What waits for it then (and was long performed) gives
way in the order of its worth: of what one person was told about one alarm the newest stays, and alarms that
are over go, with all that was told of them. What is left is what is open, and that is bounded by itself. The
mark stays, so that what went is built again from the journal at the next start, as far as it reaches back.
"""

from collections.abc import Iterable
from typing import Final

from nightbell.alarm.effects import AlarmState, AlarmView, Effects, Entry, Notification
from nightbell.deliver.record import Batch, Delivery
from nightbell.tell.attempt import Attempt, Receipt

ROWS_MAX: Final = 200_000
"""About 100 MB. More than an hour of what a million sharers lead to (35 alarms a second)."""


class Intake:
    """Rows on their way to the ledger."""

    def __init__(self, rows_max: int = ROWS_MAX, *, spills: bool = False) -> None:
        self._rows_max = rows_max
        self._spills = spills
        self._spill_at = rows_max
        self._upto_seq = -1
        self._alarms: dict[str, AlarmView] = {}
        self._entries: dict[tuple[str, int], Entry] = {}
        self._notifications: dict[str, Notification] = {}
        self._deliveries: dict[tuple[str, str], Delivery] = {}
        self._attempts: dict[tuple[str, str, int], Attempt] = {}
        self._receipts: dict[tuple[str, str, str], Receipt] = {}
        self.left_out = 0

    @property
    def size(self) -> int:
        """How many rows wait."""
        return (
            len(self._alarms)
            + len(self._entries)
            + len(self._notifications)
            + len(self._deliveries)
            + len(self._attempts)
            + len(self._receipts)
        )

    def oldest_ms(self) -> int:
        """When the oldest notification that waits was decided; 0 if none waits. Looks at all."""
        return min((told.at_ms for told in self._notifications.values()), default=0)

    def add_effects(self, effects: Effects) -> None:
        """What one micro-batch of the journal led to."""
        self.add(
            Batch(
                upto_seq=effects.upto_seq,
                alarms=effects.alarms,
                entries=effects.entries,
                notifications=effects.notifications,
            )
        )

    def add(self, batch: Batch) -> None:
        """Take rows; of two for the same key the newer stays, as in the ledger."""
        self._upto_seq = max(self._upto_seq, batch.upto_seq)
        for alarm in batch.alarms:
            known = self._alarms.get(alarm.id)
            if known is None or alarm.version > known.version:
                self._alarms[alarm.id] = alarm
        for told in batch.notifications:
            self._notifications.setdefault(told.id, told)
        for delivery in batch.deliveries:
            self._add_delivery(delivery)
        for entry in batch.entries:
            self._entries.setdefault((entry.alarm, entry.number), entry)
        for attempt in batch.attempts:
            self._attempts.setdefault((attempt.message, attempt.channel, attempt.number), attempt)
        for receipt in batch.receipts:
            self._receipts.setdefault((receipt.message, receipt.channel, receipt.state), receipt)
        if self.size > self._rows_max:
            self._leave_out(len(self._entries) + len(self._attempts))
        if self._spills and self.size > self._spill_at:
            self._spill()

    def _add_delivery(self, delivery: Delivery) -> None:
        key = (delivery.notification, delivery.channel)
        known = self._deliveries.get(key)
        if known is None or delivery.tries > known.tries or delivery.state is not known.state:
            self._deliveries[key] = delivery

    def _leave_out(self, count: int) -> None:
        self.left_out += count
        self._entries.clear()
        self._attempts.clear()

    def _spill(self) -> None:
        """Keep the newest word to each person about each alarm that is open, and nothing of what is over."""
        before = self.size
        over = {alarm.id for alarm in self._alarms.values() if alarm.state is AlarmState.RESOLVED}
        newest: dict[tuple[str, int], Notification] = {}
        for told in self._notifications.values():
            known = newest.get((told.alarm, told.follow))
            if told.alarm not in over and (known is None or told.step > known.step):
                newest[told.alarm, told.follow] = told
        self._alarms = {name: alarm for name, alarm in self._alarms.items() if name not in over}
        self._notifications = {told.id: told for told in newest.values()}
        # Rows of what went by now would gather for ever. At worst somebody is told again, under the same id.
        kept = self._notifications
        self._deliveries = {key: row for key, row in self._deliveries.items() if key[0] in kept}
        self._receipts = {key: row for key, row in self._receipts.items() if key[0] in kept}
        self.left_out += before - self.size
        # Not again for every row: only once a tenth more has come than cannot be left out.
        self._spill_at = max(self._rows_max, self.size + self._rows_max // 10)

    def take(self) -> Batch:
        """Take all out, the mark too: an empty intake asks for no write. Left-out lines keep the mark."""
        upto_seq, self._upto_seq = self._upto_seq, -1
        batch = Batch(
            upto_seq=-1 if self.left_out else upto_seq,
            alarms=tuple(self._alarms.values()),
            entries=tuple(self._entries.values()),
            notifications=tuple(self._notifications.values()),
            deliveries=tuple(self._deliveries.values()),
            attempts=tuple(self._attempts.values()),
            receipts=tuple(self._receipts.values()),
        )
        for rows in (
            self._alarms,
            self._entries,
            self._notifications,
            self._deliveries,
            self._attempts,
            self._receipts,
        ):
            rows.clear()
        return batch

    def put_back(self, batches: Iterable[Batch]) -> None:
        """What could not be written goes back in front of what has come since."""
        newer = self.take()
        for batch in (*batches, newer):
            self.add(batch)

    def notification(self, notification_id: str) -> Notification | None:
        """One that waits to be written."""
        return self._notifications.get(notification_id)

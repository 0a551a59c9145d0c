"""What the ledger keeps of telling people: deliveries, and all that one write or one question carries."""

from enum import StrEnum
from typing import Final

import msgspec

from nightbell.alarm.effects import AlarmView, Entry, Notification
from nightbell.tell.attempt import Attempt, Receipt

APP: Final = "app"
"""The channel of open screens: the stream."""

APP_PROMISE: Final = "deliver.promise_app"
"""Catalogue key of what it can honestly promise."""

EMAIL: Final = "email"
WEBHOOK: Final = "webhook"


class DeliveryState(StrEnum):
    """Where one notification stands on one channel. All but `waiting` are final."""

    WAITING = "waiting"  # to be tried at `due_ms`
    SENT = "sent"  # handed over; not yet delivered
    REFUSED = "refused"  # the provider will not take it for this address
    GIVEN_UP = "given_up"  # tried as often and as long as the rule allows
    EXPIRED = "expired"  # too old, or overtaken by a newer one
    UNREACHED = "unreached"  # no screen was open


class Delivery(msgspec.Struct, frozen=True):
    """One notification on one way; unique by both.

    Attributes:
        notification: Notification id.
        channel: Name of the channel; for a person's second way of it and more with `:` and the way's number.
        state: Where it stands.
        tries: How many tries have ended.
        due_ms: When to try (again) while waiting, else when it was settled.
        reason: Key of the sentence that says why, in the catalogue under `deliver.reason_`; empty while all
            is well.
    """

    notification: str
    channel: str
    state: DeliveryState
    tries: int
    due_ms: int
    reason: str = ""


class Batch(msgspec.Struct, frozen=True):
    """All that one transaction writes. Writing it again changes nothing.

    Alarms replace smaller versions; entries, notifications, attempts and receipts are created once; a
    delivery replaces one with fewer tries, and a final one is never replaced.

    Attributes:
        upto_seq: The newest journal group folded in; -1 leaves the mark where it is.
    """

    upto_seq: int = -1
    alarms: tuple[AlarmView, ...] = ()
    entries: tuple[Entry, ...] = ()
    notifications: tuple[Notification, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    @property
    def size(self) -> int:
        """How many rows it holds."""
        return (
            len(self.alarms)
            + len(self.entries)
            + len(self.notifications)
            + len(self.deliveries)
            + len(self.attempts)
            + len(self.receipts)
        )


class Opened(msgspec.Struct, frozen=True):
    """What the ledger said when it was opened.

    Attributes:
        upto_seq: The newest journal group it has folded in; 0 if it is new. Effects of later groups are to be
            told again.
        set_aside: Where a damaged ledger was moved to, empty if it was sound. It is rebuilt from the journal.
        open_alarms: All that are open.
        newest: The newest notification of each follow in each open alarm.
    """

    upto_seq: int
    set_aside: str
    open_alarms: tuple[AlarmView, ...]
    newest: tuple[Notification, ...]


class Waiting(msgspec.Struct, frozen=True):
    """A delivery that is due some time, with what it is about."""

    delivery: Delivery
    notification: Notification


class HandedOver(msgspec.Struct, frozen=True):
    """A message of an open alarm that a provider took: something may still become known of it.

    Attributes:
        notification: What it says.
        channel: By which way.
        provider_id: What the provider calls it.
        at_ms: When the try began.
        ended: Whether it was seen, or failed: whatever is said of it again says nothing new.
    """

    notification: Notification
    channel: str
    provider_id: str
    at_ms: int
    ended: bool


class Told(msgspec.Struct, frozen=True):
    """One notification in a timeline, with everything known about its way.

    Sent is in `deliveries` and `attempts`, delivered and seen are in `receipts`, answered is in the alarm.
    """

    notification: Notification
    deliveries: tuple[Delivery, ...]
    attempts: tuple[Attempt, ...]
    receipts: tuple[Receipt, ...]


class Timeline(msgspec.Struct, frozen=True):
    """Everything kept about one alarm, oldest first.

    Attributes:
        cut: Whether there was more than is shown.
    """

    alarm: AlarmView
    entries: tuple[Entry, ...]
    told: tuple[Told, ...]
    cut: bool


class LedgerFault(StrEnum):
    """Why the ledger cannot be written; each has a sentence that says what to do, under `deliver.ledger_`."""

    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    DAMAGED = "damaged"
    DISK_FAILED = "disk_failed"
    CLOSED = "closed"
    NEWER = "newer"

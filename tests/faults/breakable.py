"""`nightbell`, of which evaluation stops for good at SIGUSR1, while everything else goes on.

The event loop turns, the journal writes and acknowledges, streams are open: only no group is folded any
more, as after a lost wake-up. It is the same command in every other way, and what begins anew is whole.
"""

import signal
import sys

from nightbell.alarm.service import Evaluation
from nightbell.cli.main import main
from nightbell.journal.group import Group

_usual = Evaluation.consume
_broken = False


def _break(*_: object) -> None:
    global _broken  # noqa: PLW0603 a signal has no other place
    _broken = True


def _consume(self: Evaluation, group: Group) -> None:
    if not _broken:
        _usual(self, group)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _break)
    Evaluation.consume = _consume  # type: ignore[method-assign] # this is the fault
    sys.exit(main())

"""What a channel that hears from its provider brings to `test_callback_contract.py`.

A file `callbacks_<name>.py` beside this one holds up to three dicts, each from a channel's name to a function
that makes a case: `CALLBACKS` (made at once), `ASKS` and `RETRACTS` (awaited: they start a simulator).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from nightbell.tell.callback import Asks, Callback, NewsKind, Retracts, TakesCallbacks
from tests.simulators.faults import Fault


class Genuine(NamedTuple):
    """What the provider really posts, and what becomes known by it; nothing where it only says "sent"."""

    callback: Callback
    kinds: tuple[NewsKind, ...]


class CallbackCase(Protocol):
    """A channel with callbacks, and what its provider posts about one message."""

    @property
    def channel(self) -> TakesCallbacks: ...

    @property
    def message(self) -> str:
        """Id of the message that all of it is about."""
        ...

    def genuine(self) -> Sequence[Genuine]:
        """In the order in which they happen; at least one with news."""
        ...

    def forged(self) -> Sequence[Callback]:
        """What somebody posts who does not have our secret, or who changed what was signed."""
        ...

    def with_more(self, callback: Callback) -> Callback:
        """The same as the provider posts it once it has added a parameter that we do not know."""
        ...


class AskCase(Protocol):
    """A channel that asks, with its provider, which has taken one message."""

    @property
    def channel(self) -> Asks: ...

    @property
    def message(self) -> str: ...

    @property
    def provider_id(self) -> str: ...

    @property
    def kinds(self) -> tuple[NewsKind, ...]:
        """What the provider knows of it by now: not nothing."""
        ...

    def fail(self, fault: Fault) -> None: ...

    def wrong(self) -> Sequence[str]:
        """What the provider would not take."""
        ...

    async def stop(self) -> None:
        """The provider is gone. May be said twice."""
        ...

    async def close(self) -> None:
        """Close what the channel holds open."""
        ...


class RetractCase(Protocol):
    """A channel that takes back, with its provider, which has taken one message."""

    @property
    def channel(self) -> Retracts: ...

    @property
    def message(self) -> str: ...

    @property
    def provider_id(self) -> str: ...

    @property
    def address(self) -> str: ...

    def fail(self, fault: Fault) -> None: ...

    def is_silent(self) -> bool:
        """Whether the provider has really stopped telling them."""
        ...

    def wrong(self) -> Sequence[str]:
        """What the provider would not take."""
        ...

    async def stop(self) -> None:
        """The provider is gone. May be said twice."""
        ...

    async def close(self) -> None:
        """Close what the channel holds open."""
        ...

"""How much the long tail may cost."""

import msgspec


class AppriseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The child process and its limits.

    Attributes:
        private_allowed: Whether services of the family's own network may be reached.
        messages_at_once: How many the child sends at the same time, each in a thread of its own.
        waiting_max: How many messages may wait or be on their way.
        whole_ms: Longest time for one message; then the child is killed, for nothing else stops a thread.
            With the wait for a thread and the start it stays within what a channel may take (30 s).
        start_ms: Longest time until the child is ready: it loads a library of some size.
        memory_bytes_max: Address space of the child: Apprise with one plug-in needs a tenth of it.
    """

    private_allowed: bool = False
    messages_at_once: int = 4
    waiting_max: int = 64
    whole_ms: int = 10_000
    start_ms: int = 10_000
    memory_bytes_max: int = 1024 * 1024 * 1024

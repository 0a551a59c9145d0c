"""The process that runs Apprise: reads messages from its input, sends them, and says what became of them.

It ends when its input ends, and at once: what still hangs in a thread must not keep it alive. It keeps
nothing, writes no file, and its output carries frames only; whatever a plug-in prints goes nowhere.
"""

import argparse
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import msgspec

from nightbell.adapters.channels.apprise.address import is_address
from nightbell.adapters.channels.apprise.frames import HEAD, Answer, Ask, Result, framed, length_of
from nightbell.adapters.channels.apprise.guard import limit, shut

_STATUS: Final = re.compile(r"error=([0-9]{3})\b")
"""How the plug-ins write down what a service answered."""

_FOR_GOOD: Final = frozenset({400, 401, 403, 404, 405, 406, 410, 413, 422})
"""Answers that another try does not change; a plug-in that does not say gets another try."""


class Sends(Protocol):
    """Sends one message."""

    def __call__(self, ask: Ask) -> Result:
        """What became of it."""
        ...


def sending() -> Sends | None:
    """Load Apprise; None if it is not installed."""
    try:
        import apprise  # noqa: PLC0415 the limits are set before it is loaded
    except ImportError:
        return None
    asset = apprise.AppriseAsset(async_mode=False, http_redirects=False, service_timeout=0)

    def send(ask: Ask) -> Result:
        service = apprise.Apprise.instantiate(ask.url, asset=asset, suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            return Result.BAD_ADDRESS
        one = apprise.Apprise(asset=asset)
        one.add(service)
        done = one.notify(
            title=ask.title,
            body=ask.body,
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=apprise.NotifyType.FAILURE if ask.urgent else apprise.NotifyType.INFO,
        )
        return result_of(done.status.name, [entry.message for entry in done.logs()])

    return send


def result_of(status: str, logs: list[str]) -> Result:
    """What Apprise's own word means. Partial is sent: the person has been told by one of their own ways."""
    match status:
        case "SUCCESS" | "PARTIAL":
            return Result.SENT
        case "NOMATCH":
            return Result.BAD_ADDRESS
        case _:
            said = {int(found) for line in logs for found in _STATUS.findall(line)}
            return Result.REFUSED if said and said <= _FOR_GOOD else Result.FAILED


class Child:
    """Answers on one descriptor, whichever thread is done first."""

    def __init__(self, send: Sends, output: int, *, private_allowed: bool) -> None:
        self._send = send
        self._output = output
        self._private_allowed = private_allowed
        self._lock = threading.Lock()

    def say(self, answer: Answer) -> None:
        """Write one frame, whole."""
        frame = framed(answer)
        with self._lock:
            while frame:
                frame = frame[os.write(self._output, frame) :]

    def take(self, ask: Ask) -> None:
        """Send one message and say what became of it."""
        result = Result.FORBIDDEN
        if is_address(ask.url, private_allowed=self._private_allowed):
            try:
                result = self._send(ask)
            except Exception:  # noqa: BLE001 outermost: what a plug-in raises is no reason to end
                result = Result.FAILED
        self.say(Answer(ask.number, result))


def _frame() -> bytes | None:
    """The next frame of the input; None at its end."""
    head = sys.stdin.buffer.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length = length_of(head)
    content = sys.stdin.buffer.read(length)
    return content if len(content) == length else None


def _own_output() -> int:
    """The output for frames; what anybody prints goes nowhere."""
    output = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return output


def main() -> None:
    """Run until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--private", action="store_true")
    asked = parser.parse_args()
    output = _own_output()
    limit(asked.memory)
    send = sending()
    if send is None:
        os.write(output, framed(Answer(0, Result.MISSING)))
        return
    shut(private_allowed=asked.private)
    child = Child(send, output, private_allowed=asked.private)
    threads = ThreadPoolExecutor(asked.threads)
    child.say(Answer(0, Result.READY))
    while (content := _frame()) is not None:
        threads.submit(child.take, msgspec.msgpack.decode(content, type=Ask))
    os._exit(0)


if __name__ == "__main__":
    main()

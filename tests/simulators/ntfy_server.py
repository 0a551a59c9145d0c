"""An ntfy server as docs.ntfy.sh/publish describes it, strictly."""

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

from tests.simulators.faults import Fault
from tests.simulators.http_server import Answer, HttpServer, Request, json_answer

_KNOWN: Final = frozenset(
    {"topic", "title", "message", "priority", "tags", "click", "actions", "sequence_id"}
)
_ACTION: Final = frozenset({"action", "label", "url", "method", "headers", "body", "clear"})
_NAME: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")

BODY_BYTES_MAX: Final = 2 * 4_096
"""As much as the server reads of a message in JSON."""


def fault(code: int, error: str) -> Answer:
    """A no in ntfy's own form."""
    status = code // 100
    return json_answer(status, {"code": code, "http": status, "error": error, "link": "https://ntfy.sh/docs"})


_REFUSALS: Final = {
    Fault.LATER: fault(42901, "limit reached: too many requests"),
    Fault.NO: fault(40301, "forbidden"),
    Fault.NO_AT_THE_END: fault(40024, "invalid request: request body must be valid JSON"),
    Fault.MISTRUSTS_US: fault(40101, "unauthorized"),
}


class NtfyServer(HttpServer):
    """What it took, and what a phone that listens shows: the newest of each sequence."""

    def __init__(self, token: str = "") -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.healthy = True
        self._token = token

    @property
    def shown(self) -> dict[str, dict[str, Any]]:
        return {message["sequence_id"]: message for message in self.messages}

    async def answer(self, request: Request) -> Answer:
        assert not urlsplit(request.target).query
        authorization = request.headers.get("authorization", "")
        if request.method == "GET" and request.path == "/v1/health":
            return json_answer(200, {"healthy": self.healthy})
        if request.method == "GET" and request.path == "/v1/account":
            signed_in = authorization == f"Bearer {self._token}"
            return json_answer(200, {"username": "bell"}) if signed_in else fault(40101, "unauthorized")
        assert (request.method, request.path) == ("POST", "/"), "JSON is posted to the root, never to a topic"
        assert authorization == (f"Bearer {self._token}" if self._token else "")
        return self._published(request)

    def refusal(self, fault: Fault, request: Request) -> Answer:
        assert request
        return _REFUSALS[fault]

    def _published(self, request: Request) -> Answer:
        assert len(request.body) <= BODY_BYTES_MAX
        message = json.loads(request.body)
        assert set(message) <= _KNOWN, f"unknown: {set(message) - _KNOWN}"
        assert _NAME.fullmatch(message["topic"])
        assert _NAME.fullmatch(message["sequence_id"])
        assert 1 <= len(message["message"].encode()) <= 4_096
        assert message["priority"] in range(1, 6)
        assert all(isinstance(tag, str) for tag in message.get("tags", []))
        actions = message.get("actions", [])
        assert len(actions) <= 3
        for action in actions:
            assert set(action) <= _ACTION, f"unknown: {set(action) - _ACTION}"
            assert action["action"] == "http"
            assert action["method"] == "POST"
            assert action["label"]
            assert action["url"].startswith(("https://", "http://"))
            assert not urlsplit(action["url"]).query, "what proves it is in the body"
        self.messages.append(message)
        return json_answer(200, {"id": f"m{len(self.messages):011d}", "event": "message"})

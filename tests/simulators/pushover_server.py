"""Pushover's API as pushover.net/api and pushover.net/api/receipts describe it, strictly."""

from typing import Final
from urllib.parse import urlsplit

from tests.simulators.faults import Fault
from tests.simulators.http_server import Answer, HttpServer, Request, json_answer

TOKEN: Final = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
USER: Final = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"

_KNOWN: Final = frozenset(
    {"token", "user", "message", "title", "device", "priority", "timestamp", "sound", "url", "url_title",
     "retry", "expire", "callback", "tags"}
)  # fmt: skip
_EMERGENCY_ONLY: Final = frozenset({"retry", "expire", "callback", "tags"})
_SOUNDS: Final = frozenset({"siren", "persistent", "echo", "climb", "alien", "updown", "pushover"})


def _no(status: int, error: str, **fields: str) -> Answer:
    return json_answer(status, {**fields, "errors": [error], "status": 0, "request": "5042853c"})


_REFUSALS: Final = {
    Fault.LATER: _no(429, "account is over its message limit"),
    Fault.NO: _no(
        400,
        "user identifier is not a valid user, group, or subscribed user key, see the API's page",
        user="invalid",
    ),
    Fault.NO_AT_THE_END: _no(400, "message cannot be blank", message="cannot be blank"),
    Fault.MISTRUSTS_US: _no(400, "application token is invalid, see the API's page", token="invalid"),
}


class PushoverServer(HttpServer):
    """What it took, what of it still rings, and who has acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, str]] = []
        self.receipts: dict[str, dict[str, int | str]] = {}
        self.tags: dict[str, set[str]] = {}
        self.remaining = 7_496

    def acknowledge(self, receipt: str) -> None:
        """The person presses the button."""
        self.receipts[receipt] |= {
            "acknowledged": 1,
            "acknowledged_at": 1_360_019_238,
            "acknowledged_by": USER,
            "acknowledged_by_device": "phone",
        }

    def rings(self, receipt: str) -> bool:
        return not self.receipts[receipt]["acknowledged"] and not self.receipts[receipt]["expired"]

    async def answer(self, request: Request) -> Answer:
        version, *path = request.path.strip("/").split("/")
        assert version == "1", "the version leads"
        if request.method == "GET":
            assert request.query == {"token": TOKEN}, "a GET carries the token alone"
            return self._shown(path)
        assert request.method == "POST"
        assert not urlsplit(request.target).query, "a POST carries nothing in its query"
        form = request.form()
        assert form.get("token") == TOKEN, "the token is ours"
        if path == ["messages.json"]:
            return self._taken(form)
        assert set(form) == {"token"}, "a cancellation carries the token alone"
        return self._cancelled(path)

    def refusal(self, fault: Fault, request: Request) -> Answer:
        assert request
        return _REFUSALS[fault]

    def _taken(self, form: dict[str, str]) -> Answer:
        assert set(form) <= _KNOWN, f"unknown: {set(form) - _KNOWN}"
        assert form["user"] == USER
        assert 1 <= len(form["message"]) <= 1_024
        assert len(form.get("title", "")) <= 250
        assert len(form.get("url", "")) <= 512
        assert len(form.get("url_title", "")) <= 100
        assert ("url_title" in form) <= ("url" in form)
        assert form.get("sound", "siren") in _SOUNDS
        assert form.get("timestamp", "1").isdigit()
        assert form["priority"] in ("0", "2")
        self.messages.append(form)
        if form["priority"] == "0":
            assert not _EMERGENCY_ONLY & set(form), "for emergencies only"
            return json_answer(200, {"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"})
        assert int(form["retry"]) >= 30
        assert 30 <= int(form["expire"]) <= 10_800
        receipt = f"r{len(self.receipts):029d}"
        self.receipts[receipt] = {"status": 1, "acknowledged": 0, "last_delivered_at": 0, "expired": 0}
        self.tags[receipt] = set(form.get("tags", "").split(","))
        return json_answer(200, {"status": 1, "request": "647d2300-702c", "receipt": receipt})

    def _shown(self, path: list[str]) -> Answer:
        match path:
            case ["apps", "limits.json"]:
                limits = {"limit": 10_000, "remaining": self.remaining, "reset": 1_393_653_600}
                return json_answer(200, {**limits, "status": 1, "request": "1"})
            case ["receipts", name]:
                receipt = self.receipts[name.removesuffix(".json")]
                return json_answer(200, {**receipt, "request": "1"})
            case _:
                raise AssertionError(f"there is no {path}")

    def _cancelled(self, path: list[str]) -> Answer:
        match path:
            case ["receipts", "cancel_by_tag", name]:
                tag = name.removesuffix(".json")
                found = [receipt for receipt, tags in self.tags.items() if tag in tags]
                for receipt in found:
                    self.receipts[receipt]["expired"] = 1
                return json_answer(200, {"status": 1, "canceled": len(found), "request": "1"})
            case ["receipts", receipt, "cancel.json"]:
                self.receipts[receipt]["expired"] = 1
                return json_answer(200, {"status": 1, "request": "1"})
            case _:
                raise AssertionError(f"there is no {path}")

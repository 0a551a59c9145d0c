"""Telegram's bot API as core.telegram.org/bots/api describes it, strictly."""

import asyncio
import json
from typing import Any, Final

from tests.simulators.faults import Fault
from tests.simulators.http_server import Answer, HttpServer, Request, json_answer

TOKEN: Final = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
CHAT: Final = "987654321"

_PARAMETERS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "sendMessage": (
        {"chat_id", "text"},
        {"disable_notification", "protect_content", "link_preview_options", "reply_markup"},
    ),
    "editMessageText": ({"text"}, {"chat_id", "message_id", "link_preview_options", "reply_markup"}),
    "editMessageReplyMarkup": (set(), {"chat_id", "message_id", "reply_markup"}),
    "answerCallbackQuery": ({"callback_query_id"}, {"text"}),
    "setWebhook": ({"url"}, {"secret_token", "allowed_updates"}),
    "deleteWebhook": (set(), set()),
    "getWebhookInfo": (set(), set()),
    "getMe": (set(), set()),
}
"""By method: parameters that must be there, and others that may."""


def no(status: int, description: str, **parameters: int) -> Answer:
    """A no in Telegram's own form."""
    content: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return json_answer(status, content | ({"parameters": parameters} if parameters else {}))


_REFUSALS: Final = {
    Fault.LATER: no(429, "Too Many Requests: retry after 7", retry_after=7),
    Fault.NO: no(403, "Forbidden: bot was blocked by the user"),
    Fault.NO_AT_THE_END: no(400, "Bad Request: chat not found"),
    Fault.MISTRUSTS_US: no(401, "Unauthorized"),
}


def units(text: str) -> int:
    """How long Telegram finds a text."""
    return len(text.encode("utf-16-le")) // 2


class TelegramServer(HttpServer):
    """Messages as their chats show them, what was called, and updates that wait for the bot."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[int, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.polls: list[dict[str, str]] = []
        self.updates: list[dict[str, Any]] = []
        self.webhook: dict[str, Any] | None = None
        self.reaches_us = True
        self.last_error = ""
        self._came = asyncio.Event()

    def called(self, method: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.calls if name == method]

    def say(self, **update: Any) -> dict[str, Any]:
        """Something happens in a chat."""
        whole = {"update_id": 700 + len(self.updates), **update}
        self.updates.append(whole)
        self._came.set()
        return whole

    def press(self, message_id: int, *, name: str = "Ben", row: int = 0) -> dict[str, Any]:
        """Somebody presses the button of a message."""
        message = self.messages[message_id]
        return self.say(
            callback_query=pressed(message, message["reply_markup"]["inline_keyboard"][row][0], name)
        )

    async def answer(self, request: Request) -> Answer:
        assert request.path.startswith(f"/bot{TOKEN}/"), "the token stands in the path"
        method = request.path.rpartition("/")[2]
        if request.method == "GET":
            assert method == "getUpdates"
            return await self._given(request.query)
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json"
        fields = json.loads(request.body)
        must, may = _PARAMETERS[method]
        assert must <= set(fields) <= must | may, f"{method}: {set(fields)}"
        self.calls.append((method, fields))
        return self._done(method, fields)

    def refusal(self, fault: Fault, request: Request) -> Answer:
        assert request
        return _REFUSALS[fault]

    def _done(self, method: str, fields: dict[str, Any]) -> Answer:
        match method:
            case "sendMessage":
                return self._sent(fields)
            case "editMessageText" | "editMessageReplyMarkup":
                return self._edited(fields)
            case "answerCallbackQuery":
                assert len(fields.get("text", "")) <= 200
            case "setWebhook":
                if not self.reaches_us:
                    return no(400, "Bad Request: bad webhook: IP address 192.168.0.9 is reserved")
                assert fields["url"].startswith("https://")
                assert 1 <= len(fields["secret_token"]) <= 256
                self.webhook = fields
            case "deleteWebhook":
                self.webhook = None
            case "getWebhookInfo":
                waiting = len(self.updates)
                info = {"url": "https://bell.test", "pending_update_count": waiting}
                extra = {"last_error_message": self.last_error} if self.last_error else {}
                return json_answer(200, {"ok": True, "result": {**info, **extra}})
            case "getMe":
                return json_answer(200, {"ok": True, "result": {"id": 123456, "is_bot": True}})
            case _:
                raise AssertionError(f"there is no {method}")
        return json_answer(200, {"ok": True, "result": True})

    def _sent(self, fields: dict[str, Any]) -> Answer:
        assert isinstance(fields["chat_id"], int)
        assert 1 <= units(fields["text"]) <= 4_096
        for row in fields.get("reply_markup", {}).get("inline_keyboard", []):
            for button in row:
                assert set(button) == {"text", "callback_data"}
                assert 1 <= len(button["callback_data"].encode()) <= 64
        message_id = 40 + len(self.messages)
        self.messages[message_id] = {**fields, "message_id": message_id}
        return json_answer(200, {"ok": True, "result": {"message_id": message_id, "date": 1}})

    def _edited(self, fields: dict[str, Any]) -> Answer:
        message = self.messages.get(fields["message_id"])
        if message is None or message["chat_id"] != fields["chat_id"]:
            return no(400, "Bad Request: message to edit not found")
        text = fields.get("text", message["text"])
        assert 1 <= units(text) <= 4_096
        markup = fields.get("reply_markup", {"inline_keyboard": []})
        if text == message["text"] and markup == message.get("reply_markup"):
            return no(400, "Bad Request: message is not modified")
        message |= {"text": text, "reply_markup": markup}
        return json_answer(200, {"ok": True, "result": {"message_id": fields["message_id"], "date": 1}})

    async def _given(self, query: dict[str, str]) -> Answer:
        """What getUpdates answers: updates from the offset on, held open until there are some."""
        assert set(query) == {"offset", "limit", "timeout", "allowed_updates"}
        assert set(json.loads(query["allowed_updates"])) == {"message", "callback_query"}
        assert 1 <= int(query["limit"]) <= 100
        self.polls.append(query)
        if self.webhook is not None:
            return no(409, "Conflict: can't use getUpdates method while webhook is active")
        self.updates = [one for one in self.updates if one["update_id"] >= int(query["offset"])]
        if not self.updates:
            self._came.clear()
            try:
                async with asyncio.timeout(int(query["timeout"])):
                    await self._came.wait()
            except TimeoutError:
                pass
        return json_answer(200, {"ok": True, "result": self.updates[: int(query["limit"])]})


def pressed(message: dict[str, Any], button: dict[str, str], name: str = "Ben") -> dict[str, Any]:
    """A pressed button as Telegram tells it."""
    chat = {"id": message["chat_id"], "type": "private"}
    return {
        "id": "4382bfdwdsb323b2d9",
        "from": {"id": message["chat_id"], "is_bot": False, "first_name": name},
        "message": {
            "message_id": message["message_id"],
            "date": 1,
            "chat": chat,
            "text": message["text"],
        },
        "chat_instance": "-1",
        "data": button["callback_data"],
    }


def written(text: str, chat: int = 555, kind: str = "private") -> dict[str, Any]:
    """What somebody wrote, as Telegram tells it."""
    return {"message_id": 1, "date": 1, "chat": {"id": chat, "type": kind}, "text": text}

"""The Telegram channel.

Where Telegram can reach us it posts what people press; else we hold a question open (`listen`), which works
in a house that nobody can reach from outside. It is never both: Telegram knows one way at a time.
"""

import asyncio
import hmac
import json
import re
from collections.abc import Callable
from typing import Final, Never
from urllib.parse import urlencode

import msgspec
import structlog

from nightbell.adapters.channels.telegram.settings import TelegramSettings
from nightbell.adapters.channels.telegram.updates import ALLOWED, Linked, Taken, Update, taken
from nightbell.adapters.channels.telegram.wire import (
    Call,
    is_address,
    outcome_of,
    over,
    said,
    sending,
    wait_ms,
    webhook_fault,
)
from nightbell.tell.answers import not_reached
from nightbell.tell.callback import BODY_BYTES_MAX, Callback, CallbackAnswer, News, Proofs
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import HttpAnswer, HttpFailure, OriginClient
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue

_log = structlog.get_logger(__name__)

SECRET_HEADER: Final = "x-telegram-bot-api-secret-token"  # noqa: S105 the name of a header
_SECRET_OF: Final = "webhook"  # noqa: S105 the word whose proof is the secret

AT_ONCE: Final = 3
"""How many updates are asked for at once: their longest messages have to fit into what the client reads."""

_CONFLICT: Final = 409
_JSON: Final = {"Content-Type": "application/json"}
_UPDATE_ID: Final = re.compile(rb'"update_id"\s*:\s*([0-9]{1,18})')


class TelegramChannel:
    """A `tell.channel.Channel` that also `TakesCallbacks`, `Listens` and `Retracts`.

    Its address is a chat's id.

    Args:
        http: Goes to Telegram.
        settings: Which bot.
        proofs: Makes the word in each button, and the secret that Telegram shows us.
        linked: Is told when somebody opens our link in a chat; says nothing of whether the code is good.
    """

    name = "telegram"
    checklist = Checklist(
        proof=Proof.ANSWERED,
        duplicates_merge=False,
        may_wake=False,
        at_most_per_minute=20,
        at_most_per_s=25,
        promise="deliver.promise_telegram",
    )

    def __init__(
        self,
        http: OriginClient,
        settings: TelegramSettings,
        *,
        proofs: Proofs,
        linked: Callable[[Linked], None],
    ) -> None:
        self._http = http
        self._settings = settings
        self._proofs = proofs
        self._linked = linked
        self._offset = 0
        self._at_once = AT_ONCE
        self._register_from_s = 0.0

    async def send(
        self,
        message: Message,
        address: str,
        *,
        idempotency_key: str,  # noqa: ARG002 Telegram knows none; the button carries the message's id
    ) -> Outcome:
        """Send it once."""
        if not is_address(address):
            return Refused(catalogue().say("deliver.telegram_bad_address"))
        return await self._do(sending(message, address, proof=self._proofs.of(self.name, message.id)))

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take what Telegram posts; what is said back stands in the answer."""
        shown = callback.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(self._secret().encode(), shown.encode("utf-8", "replace")):
            return CallbackAnswer(403)
        if len(callback.body) > BODY_BYTES_MAX:
            return CallbackAnswer(413)
        try:
            update = msgspec.json.decode(callback.body, type=Update)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return CallbackAnswer(400)
        meant = self._take(update)
        if not meant.calls:
            return CallbackAnswer(200, meant.news)
        return CallbackAnswer(200, meant.news, "application/json", meant.calls[0].as_answer())

    async def listen(self, heard: Callable[[News], None]) -> Never:
        """Tell Telegram where to post to, or else hold a question open, for ever."""
        pause_ms = self._settings.pause_ms
        while True:
            went_well, wait_s = await self._listen_once(heard)
            if went_well:
                pause_ms = self._settings.pause_ms
            else:
                wait_s = max(wait_s, pause_ms / 1000)
                pause_ms = min(2 * pause_ms, self._settings.pause_ms_max)
            await asyncio.sleep(wait_s)

    async def retract(
        self,
        message: str,  # noqa: ARG002 Telegram finds it by its own id
        provider_id: str,
        address: str,
    ) -> Outcome:
        """Say that it is over where the button was. The message stays to be read."""
        if not is_address(address):
            return Refused(catalogue().say("deliver.telegram_bad_address"))
        if not (provider_id.isascii() and provider_id.isdigit()):
            return Refused(catalogue().say("deliver.telegram_unknown"))
        outcome = await self._do(over(address, int(provider_id)))
        return Sent(provider_id) if isinstance(outcome, Sent) else outcome

    async def prove(self) -> str:
        """Whether the token is good, and whether Telegram reaches us; tells nobody anything."""
        outcome = await self._do(Call("getMe", {}))
        if isinstance(outcome, Unavailable | Refused):
            return outcome.reason
        if not self._is_reachable():
            return ""
        answer = await self._http.post(self._url("getWebhookInfo"), headers=_JSON, body=b"{}")
        return answer.reason if isinstance(answer, HttpFailure) else webhook_fault(answer)

    def _secret(self) -> str:
        return self._proofs.of(self.name, _SECRET_OF)

    def _is_reachable(self) -> bool:
        """Whether Telegram may post to us: it does so by https only."""
        return self._settings.public_url.startswith("https://")

    def _url(self, method: str) -> str:
        return f"{self._settings.api}/bot{self._settings.token}/{method}"

    async def _do(self, call: Call) -> Outcome:
        answer = await self._http.post(self._url(call.method), headers=_JSON, body=call.body())
        return not_reached(answer) if isinstance(answer, HttpFailure) else outcome_of(answer)

    def _take(self, update: Update) -> Taken:
        meant = taken(update, self._proofs, self.name)
        if meant.linked is not None:
            self._linked(meant.linked)
        return meant

    async def _listen_once(self, heard: Callable[[News], None]) -> tuple[bool, float]:
        """One round: whether it went well, and how many seconds to wait at least before the next."""
        now_s = asyncio.get_running_loop().time()
        if self._is_reachable() and now_s >= self._register_from_s:
            outcome = await self._do(self._register())
            if isinstance(outcome, Sent):
                return True, self._settings.renew_ms / 1000
            if isinstance(outcome, Unavailable):
                return False, outcome.retry_after_ms / 1000
            _log.warning("telegram.no_way_in")  # Telegram says that it can not come here: so we go there
            self._register_from_s = now_s + self._settings.renew_ms / 1000
        return await self._ask_for_updates(heard)

    def _register(self) -> Call:
        return Call(
            "setWebhook",
            {
                "url": f"{self._settings.public_url}/v1/channels/{self.name}",
                "secret_token": self._secret(),
                "allowed_updates": list(ALLOWED),
            },
        )

    async def _ask_for_updates(self, heard: Callable[[News], None]) -> tuple[bool, float]:
        query = urlencode(
            {
                "offset": self._offset,
                "limit": self._at_once,
                "timeout": self._settings.poll_s,
                "allowed_updates": json.dumps(ALLOWED),
            }
        )
        url = f"{self._url('getUpdates')}?{query}"
        answer = await self._http.get(url, headers={}, wait_ms=self._settings.poll_s * 1000)
        if isinstance(answer, HttpFailure):
            return False, 0
        spoken = said(answer)
        if answer.status == 200:  # noqa: PLR2004 the one that carries them
            updates = None if spoken is None else _each(spoken.result)
            if updates is None:
                return self._step_over(answer), 0
            self._at_once = AT_ONCE
            for raw in updates:
                await self._take_one(raw, heard)
            return True, 0
        if answer.status == _CONFLICT:
            await self._do(Call("deleteWebhook", {}))  # once set, it is the only way until it is taken away
        return False, 0 if spoken is None else wait_ms(spoken, answer) / 1000

    def _step_over(self, answer: HttpAnswer) -> bool:
        """Updates that can not be read, for they are longer than what the client reads: ask for fewer.

        One alone that can not be read is passed over, or nothing after it would ever be heard.
        """
        found = _UPDATE_ID.search(answer.body)
        if self._at_once > 1 or found is None:
            self._at_once = 1
            return False
        _log.warning("telegram.update_unreadable")
        self._offset = int(found.group(1)) + 1
        return True

    async def _take_one(self, raw: msgspec.Raw, heard: Callable[[News], None]) -> None:
        found = _UPDATE_ID.search(bytes(raw))
        try:
            update = msgspec.json.decode(raw, type=Update)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if found is not None:
                self._offset = max(self._offset, int(found.group(1)) + 1)
            return
        meant = self._take(update)
        for news in meant.news:
            heard(news)
        for call in meant.calls:
            await self._do(call)
        self._offset = update.update_id + 1


def _each(result: msgspec.Raw) -> list[msgspec.Raw] | None:
    try:
        return msgspec.json.decode(result, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return None

"""The ntfy channel."""

from typing import Final

import msgspec

from nightbell.adapters.channels.ntfy.settings import NtfySettings
from nightbell.adapters.channels.ntfy.wire import (
    Pressed,
    Topic,
    body_of,
    fault_of,
    outcome_of,
    over_body,
    topic_of,
)
from nightbell.tell.answers import is_proven, not_reached
from nightbell.tell.callback import BODY_BYTES_MAX, Callback, CallbackAnswer, News, NewsKind, Proofs
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import HttpAnswer, HttpClient, HttpFailure, OriginClient
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused
from nightbell.words.catalogue import catalogue
from nightbell.words.tier import Tier

_WITH_BUTTON: Final = Checklist(
    tier=Tier.INSIST,
    proof=Proof.ANSWERED,
    duplicates_merge=True,
    may_wake=True,
    at_most_per_minute=0,  # each server has its own; ntfy.sh counts us, not the topic, and says 429
    promise="deliver.promise_ntfy",
)


class NtfyChannel:
    """A `tell.channel.Channel` that also `TakesCallbacks` and `Retracts`.

    Its address is a topic on the operator's server, or a topic's whole URL on another one. Only the latter is
    a way that a person chose for us, so it goes through the client that looks where it goes.

    Args:
        ours: Goes to the server from the settings.
        others: Goes where people ask us to, with care.
        settings: Which server that is.
        proofs: Makes the word by which a pressed button is known.
    """

    name = "ntfy"

    def __init__(
        self, ours: OriginClient, others: HttpClient, settings: NtfySettings, *, proofs: Proofs
    ) -> None:
        self._ours = ours
        self._others = others
        self._settings = settings
        self._proofs = proofs

    @property
    def checklist(self) -> Checklist:
        """What it is good for: without a public address of ours no button can answer."""
        if self._settings.public_url:
            return _WITH_BUTTON
        return msgspec.structs.replace(
            _WITH_BUTTON, proof=Proof.NOTHING, promise="deliver.promise_ntfy_no_button"
        )

    async def send(
        self,
        message: Message,
        address: str,
        *,
        idempotency_key: str,  # noqa: ARG002 the message's id is what ntfy merges by, so that it can be taken back
    ) -> Outcome:
        """Publish it once."""
        topic = topic_of(address)
        if topic is None:
            return Refused(catalogue().say("deliver.ntfy_bad_address"))
        proof = self._proofs.of(self.name, message.id)
        return await self._publish(
            topic, body_of(message, topic, public_url=self._settings.public_url, proof=proof)
        )

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take a pressed button."""
        if len(callback.body) > BODY_BYTES_MAX:
            return CallbackAnswer(413)
        try:
            pressed = msgspec.json.decode(callback.body, type=Pressed)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return CallbackAnswer(400)
        if not is_proven(self._proofs, self.name, pressed.message, pressed.proof):
            return CallbackAnswer(403)
        return CallbackAnswer(200, (News(pressed.message, NewsKind.ANSWERED),))

    async def retract(
        self,
        message: str,
        provider_id: str,  # noqa: ARG002 ntfy finds it by our own id
        address: str,
    ) -> Outcome:
        """Put a quiet one in its place that says it is over."""
        topic = topic_of(address)
        if topic is None:
            return Refused(catalogue().say("deliver.ntfy_bad_address"))
        return await self._publish(topic, over_body(message, topic))

    async def prove(self) -> str:
        """Whether the server answers and takes our token; tells nobody anything."""
        health = await self._ours.get(f"{self._settings.server}/v1/health", headers={})
        if isinstance(health, HttpFailure):
            return health.reason
        account: HttpAnswer | None = None
        if self._settings.token:
            asked = await self._ours.get(f"{self._settings.server}/v1/account", headers=self._signed_in())
            if isinstance(asked, HttpFailure):
                return asked.reason
            account = asked
        return fault_of(health, account)

    async def _publish(self, topic: Topic, body: bytes) -> Outcome:
        headers = {"Content-Type": "application/json", "User-Agent": "Nightbell"}
        if topic.server:
            answer = await self._others.post(f"{topic.server}/", headers=headers, body=body)
        else:
            url = f"{self._settings.server}/"
            answer = await self._ours.post(url, headers={**headers, **self._signed_in()}, body=body)
        return not_reached(answer) if isinstance(answer, HttpFailure) else outcome_of(answer)

    def _signed_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._settings.token}"} if self._settings.token else {}

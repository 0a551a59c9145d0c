"""The Pushover channel.

What is urgent goes out with emergency priority: Pushover rings again by itself until somebody acknowledges,
and only a person can do that. So an acknowledgement is taken for "I've got it".
"""

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from nightbell.adapters.channels.pushover.settings import PushoverSettings
from nightbell.adapters.channels.pushover.wire import (
    fault_of,
    fields_of,
    is_address,
    is_receipt,
    is_tag,
    news_of,
    outcome_of,
)
from nightbell.tell.answers import is_proven, not_reached
from nightbell.tell.callback import BODY_BYTES_MAX, Callback, CallbackAnswer, News, NewsKind, Proofs
from nightbell.tell.channel import Checklist, Proof
from nightbell.tell.http import HttpAnswer, HttpFailure, OriginClient, form_body
from nightbell.tell.message import Message
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable
from nightbell.words.catalogue import catalogue
from nightbell.words.clock import Clock
from nightbell.words.tier import Tier

ASK_EVERY_MS: Final = 5_000
"""Source: pushover.net/api/receipts: no faster than once every 5 seconds."""

_FIELDS_MAX: Final = 20

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class PushoverChannel:
    """A `tell.channel.Channel` that also `TakesCallbacks`, `Asks` and `Retracts`.

    Its address is a user's key, or `KEY/device`.
    """

    name = "pushover"
    checklist = Checklist(
        tier=Tier.INSIST,
        proof=Proof.ANSWERED,
        duplicates_merge=False,
        may_wake=True,
        at_most_per_minute=0,
        promise="deliver.promise_pushover",
    )
    ask_every_ms = ASK_EVERY_MS

    def __init__(
        self, http: OriginClient, settings: PushoverSettings, *, proofs: Proofs, clock: Clock
    ) -> None:
        self._http = http
        self._settings = settings
        self._proofs = proofs
        self._clock = clock

    async def send(
        self,
        message: Message,
        address: str,
        *,
        idempotency_key: str,  # noqa: ARG002 Pushover knows none; the message's id stands in the tags
    ) -> Outcome:
        """Hand it over once."""
        if not is_address(address):
            return Refused(catalogue().say("deliver.pushover_bad_address"))
        fields = fields_of(
            message,
            address,
            self._settings,
            proof=self._proofs.of(self.name, message.id),
            now_ms=self._clock.now_ms(),
        )
        return await self._post("messages.json", fields)

    def heard(self, callback: Callback) -> CallbackAnswer:
        """Take an acknowledgement.

        The proof says that it is about our message. Which receipt it names is not compared: where the line
        broke after Pushover had taken a message, there are two of one message, and a person who acknowledges
        the one whose receipt we never saw has it all the same.
        """
        if len(callback.body) > BODY_BYTES_MAX:
            return CallbackAnswer(413)
        try:
            query = dict(parse_qsl(urlsplit(callback.url).query, max_num_fields=_FIELDS_MAX))
            form = dict(parse_qsl(callback.body.decode("utf-8"), max_num_fields=_FIELDS_MAX))
        except ValueError:
            return CallbackAnswer(400)
        message = query.get("message", "")
        if not is_proven(self._proofs, self.name, message, query.get("proof", "")):
            return CallbackAnswer(403)
        if form.get("acknowledged") != "1" or not is_receipt(form.get("receipt", "")):
            return CallbackAnswer(400)
        return CallbackAnswer(200, (News(message, NewsKind.ANSWERED),))

    async def ask(self, message: str, provider_id: str) -> tuple[News, ...]:
        """What the receipt says now."""
        if not is_receipt(provider_id):
            return ()
        answer = await self._get(f"receipts/{provider_id}.json")
        return news_of(message, answer) if isinstance(answer, HttpAnswer) else ()

    async def retract(
        self,
        message: str,
        provider_id: str,
        address: str,  # noqa: ARG002 the receipt and the tag name it
    ) -> Outcome:
        """Let it ring no more: the one we know, and any that was taken without our hearing of it."""
        outcomes: list[Outcome] = []
        fields = {"token": self._settings.token}
        if is_receipt(provider_id):
            outcomes.append(_over(await self._post(f"receipts/{provider_id}/cancel.json", fields)))
        if is_tag(message):
            outcomes.append(_over(await self._post(f"receipts/cancel_by_tag/{message}.json", fields)))
        later = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
        return later[0] if later else Sent()

    async def prove(self) -> str:
        """Whether the token is good and something is left of the quota; tells nobody anything."""
        answer = await self._get("apps/limits.json")
        return answer.reason if isinstance(answer, HttpFailure) else fault_of(answer)

    async def _post(self, path: str, fields: dict[str, str]) -> Outcome:
        url = f"{self._settings.api}/1/{path}"
        answer = await self._http.post(url, headers=_FORM, body=form_body(fields))
        return not_reached(answer) if isinstance(answer, HttpFailure) else outcome_of(answer)

    async def _get(self, path: str) -> HttpAnswer | HttpFailure:
        query = urlencode({"token": self._settings.token})
        return await self._http.get(f"{self._settings.api}/1/{path}?{query}", headers={})


def _over(outcome: Outcome) -> Outcome:
    """A receipt that Pushover does not know any more is over as well."""
    return Sent() if isinstance(outcome, Refused) else outcome

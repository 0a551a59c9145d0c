"""Twilio's API as both channels use it: create, look at and change one message or call."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from nightbell.adapters.channels.twilio.codes import outcome_of
from nightbell.adapters.channels.twilio.settings import TwilioSettings
from nightbell.tell.http import (
    HttpAnswer,
    HttpFailure,
    OriginClient,
    basic_auth,
    form_body,
    retry_after_ms,
)
from nightbell.tell.outcome import Outcome, Refused, Sent, Unavailable, one_line
from nightbell.words.catalogue import catalogue

CALL_OVER: Final = 21220
"""Error code: this call can not be changed, for it is over. Source: Twilio's error dictionary."""

_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}")


class Thing(StrEnum):
    """What is created, as it is called in URLs."""

    MESSAGE = "Messages"
    CALL = "Calls"


class Resource(msgspec.Struct, frozen=True):
    """What we read of a message or a call; the rest of it, and what is added one day, is passed over."""

    sid: str = ""
    status: str = ""
    error_code: int | None = None
    answered_by: str | None = None


class _Problem(msgspec.Struct, frozen=True):
    """What we read of an error."""

    code: int | None = None


class TwilioApi:
    """One account at Twilio."""

    def __init__(self, http: OriginClient, settings: TwilioSettings) -> None:
        self._http = http
        self._root = f"{settings.api_url}/2010-04-01/Accounts/{settings.account_sid}"
        if settings.api_key_sid:
            authorization = basic_auth(settings.api_key_sid, settings.api_key_secret)
        else:
            authorization = basic_auth(settings.account_sid, settings.auth_token)
        self._headers = {"Authorization": authorization, "Accept": "application/json"}

    async def create(self, thing: Thing, fields: Mapping[str, str], *, idempotency_key: str) -> Outcome:
        """Create one; its sid is the provider's id."""
        answer = await self._post(f"{self._root}/{thing}.json", fields, idempotency_key)
        outcome = _outcome(answer)
        if outcome is not None:
            return outcome
        resource = _read(answer)
        return Sent(resource.sid if resource is not None and _SID.fullmatch(resource.sid) else "")

    async def change(self, thing: Thing, sid: str, fields: Mapping[str, str]) -> Outcome:
        """Change one; whoever is over already is `Sent` as well."""
        if not _SID.fullmatch(sid):
            return Refused(catalogue().say("deliver.twilio_unknown"))
        answer = await self._post(f"{self._root}/{thing}/{sid}.json", fields, "")
        if isinstance(answer, HttpAnswer) and _code(answer) == CALL_OVER:
            return Sent(sid)
        return _outcome(answer) or Sent(sid)

    async def look(self, thing: Thing, sid: str) -> Resource | None:
        """One as it stands; None if that can not be known now."""
        if not _SID.fullmatch(sid):
            return None
        answer = await self._http.get(f"{self._root}/{thing}/{sid}.json", headers=self._headers)
        return _read(answer)

    async def prove(self) -> str:
        """Ask for the account itself: what is wrong with it and what to do, or nothing."""
        answer = await self._http.get(f"{self._root}.json", headers=self._headers)
        match _outcome(answer):
            case Unavailable(reason) | Refused(reason):
                return reason
            case _:
                pass
        resource = _read(answer)
        active = resource is not None and resource.status == "active"
        return "" if active else catalogue().say("deliver.twilio_account")

    async def _post(
        self, url: str, fields: Mapping[str, str], idempotency_key: str
    ) -> HttpAnswer | HttpFailure:
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        if idempotency_key:
            headers["Idempotency-Key"] = (
                idempotency_key  # Twilio does not read it, whoever looks at a trace does
            )
        return await self._http.post(url, headers=headers, body=form_body(fields))


def _outcome(answer: HttpAnswer | HttpFailure) -> Outcome | None:
    """What went wrong; None if it did not."""
    if isinstance(answer, HttpFailure):
        return Unavailable(one_line(answer.reason))
    if 200 <= answer.status < 300:  # noqa: PLR2004 the classes of HTTP statuses
        return None
    return outcome_of(answer.status, _code(answer), retry_after_ms(answer))


def _code(answer: HttpAnswer) -> int:
    """The error code in an answer; 0 if there is none that can be read."""
    try:
        return msgspec.json.decode(answer.body, type=_Problem).code or 0
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


def _read(answer: HttpAnswer | HttpFailure) -> Resource | None:
    """The resource in an answer; None if there is none that can be read."""
    if isinstance(answer, HttpFailure) or not 200 <= answer.status < 300:  # noqa: PLR2004 the classes of HTTP statuses
        return None
    try:
        return msgspec.json.decode(answer.body, type=Resource)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None

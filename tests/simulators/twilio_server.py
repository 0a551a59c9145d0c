"""Twilio: takes texts and calls over real HTTP, strict about every parameter, and posts signed callbacks.

Built from the vendor's documented requests (Message and Call resources, 2010-04-01). An unknown, missing or
impossible parameter is kept in `wrong`.
"""

import base64
import hashlib
import hmac
import re
import xml.etree.ElementTree as ET
from typing import Final
from urllib.parse import urlencode

from nightbell.tell.callback import Callback
from tests.simulators.cast import NOW_MS
from tests.simulators.faults import Fault
from tests.simulators.http_server import Answer, HttpServer, Request, json_answer

ACCOUNT: Final = "AC" + "0a" * 16
TOKEN: Final = "the cast's auth token"
API_KEY: Final = "SK" + "1b" * 16
API_SECRET: Final = "the cast's api secret"
SMS_FROM: Final = "+15550001111"
VOICE_FROM: Final = "+15550002222"
SERVICE: Final = "MG" + "2c" * 16

_MESSAGE_NEEDS: Final = {"To", "Body"}
_MESSAGE_TAKES: Final = _MESSAGE_NEEDS | {
    "From", "MessagingServiceSid", "StatusCallback", "ValidityPeriod", "RiskCheck",
}  # fmt: skip
_CALL_NEEDS: Final = {"To", "From", "Twiml"}
_CALL_TAKES: Final = _CALL_NEEDS | {
    "Timeout", "TimeLimit", "StatusCallback", "MachineDetection", "AsyncAmd", "AsyncAmdStatusCallback",
}  # fmt: skip
_E164: Final = re.compile(r"\+[1-9]\d{6,14}")

_REFUSALS: Final = {
    Fault.LATER: (429, 20429, "Too Many Requests"),
    Fault.NO: (400, 21211, "The 'To' number {to} is not a valid phone number."),
    Fault.NO_AT_THE_END: (400, 21610, "Attempt to send to unsubscribed recipient {to}"),
    Fault.MISTRUSTS_US: (401, 20003, "Authenticate"),
}


def signed(url: str, fields: dict[str, str], *, token: str = TOKEN, now_ms: int = NOW_MS) -> Callback:
    """A callback as Twilio posts it."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    mac = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "user-agent": "TwilioProxy/1.1",
        "i-twilio-idempotency-token": "f3a6",
        "x-twilio-signature": mac,
    }
    return Callback(url, headers, urlencode(fields).encode(), now_ms)


class TwilioServer(HttpServer):
    """One account of Twilio."""

    def __init__(self) -> None:
        super().__init__()
        self.users = {ACCOUNT: TOKEN, API_KEY: API_SECRET}
        self.account_status = "active"
        self.messages: dict[str, dict[str, str]] = {}
        self.calls: dict[str, dict[str, str]] = {}
        self.keys: list[str] = []
        """The idempotency key of each that was created."""
        self.error: tuple[int, int] | None = None
        """HTTP status and error code of all that is to be created; None takes it."""
        self.retry_after = ""

    def refusal(self, fault: Fault, request: Request) -> Answer:
        status, code, words = _REFUSALS[fault]
        to = request.form().get("To", "") if request.body else ""
        return self._problem(status, code, words.replace("{to}", to))

    async def answer(self, request: Request) -> Answer:
        given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        user, _, password = given.partition(":")
        if self.users.get(user) != password:
            return self._problem(401, 20003, "Authenticate")
        return self._known(request)

    def _known(self, request: Request) -> Answer:
        """What is answered to whoever may ask."""
        root, _, rest = request.path.partition(f"/Accounts/{ACCOUNT}")
        if root != "/2010-04-01" or not rest.endswith(".json") or request.query:
            self.wrong.append(f"{request.method} {request.target}")
            return self._problem(404, 20404, f"The requested resource {request.path} was not found")
        kind, _, sid = rest.removesuffix(".json").lstrip("/").partition("/")
        if not kind:
            assert request.method == "GET"
            return json_answer(200, {"sid": ACCOUNT, "status": self.account_status, "type": "Full"})
        kept = {"Messages": self.messages, "Calls": self.calls}[kind]
        if not sid:
            assert request.method == "POST", request.method
            return self._create(kind, kept, request)
        if sid not in kept:
            return self._problem(404, 20404, f"The requested resource {request.path} was not found")
        if request.method == "POST":
            return self._change(kept[sid], request.form())
        assert request.body == b""
        return self._resource(200, kept[sid])

    def _create(self, kind: str, kept: dict[str, dict[str, str]], request: Request) -> Answer:
        fields = request.form()
        needs, takes = (_MESSAGE_NEEDS, _MESSAGE_TAKES) if kind == "Messages" else (_CALL_NEEDS, _CALL_TAKES)
        assert needs <= set(fields) <= takes, f"{kind} {sorted(fields)}"
        assert _E164.fullmatch(fields["To"])
        (_check_message if kind == "Messages" else _check_call)(fields)
        if self.error is not None:
            return self._problem(*self.error, "As the test wishes.")
        sid = f"{'SM' if kind == 'Messages' else 'CA'}{len(self.keys):032x}"
        kept[sid] = {**fields, "sid": sid, "kind": kind, "status": "queued", "error_code": ""}
        self.keys.append(request.headers["idempotency-key"])
        return self._resource(201, kept[sid])

    def _change(self, call: dict[str, str], fields: dict[str, str]) -> Answer:
        assert call["kind"] == "Calls"
        assert fields == {"Status": "completed"}, fields
        if call["status"] not in ("queued", "ringing", "in-progress"):
            return self._problem(400, 21220, "Call is not in-progress. Cannot redirect.")
        call["status"] = "completed" if call["status"] == "in-progress" else "canceled"
        return self._resource(200, call)

    def _problem(self, status: int, code: int, message: str) -> Answer:
        problem = {
            "code": code,
            "message": message,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }
        extra = {"retry_after": self.retry_after} if self.retry_after else {}
        return json_answer(status, problem, **extra)

    def _resource(self, status: int, kept: dict[str, str]) -> Answer:
        code = kept["error_code"]
        resource: dict[str, object] = {
            "sid": kept["sid"],
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "date_created": "Sun, 22 Nov 2026 02:00:00 +0000",
            "date_updated": "Sun, 22 Nov 2026 02:00:00 +0000",
            "direction": "outbound-api",
            "from": kept.get("From"),
            "to": kept["To"],
            "status": kept["status"],
            "price": None,
            "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/{kept['kind']}/{kept['sid']}.json",
        }
        if kept["kind"] == "Messages":
            more = {"body": kept["Body"], "num_segments": "1", "error_code": int(code) if code else None}
            resource |= {**more, "error_message": None, "messaging_service_sid": None}
        else:
            resource |= {"answered_by": None, "duration": None, "annotation": None}
        return json_answer(status, resource)

    # --- what comes afterwards ------------------------------------------------------------------------------

    def becomes(self, sid: str, status: str, error: str = "", **more: str) -> Callback:
        """A text comes to this status; the callback that says so."""
        message = self.messages[sid]
        message |= {"status": status, "error_code": error}
        fields = {
            "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": message.get("From", SMS_FROM),
            "MessageSid": sid, "MessageStatus": status, "SmsSid": sid, "SmsStatus": status,
            "To": message["To"], **({"ErrorCode": error} if error else {}), **more,
        }  # fmt: skip
        return signed(message["StatusCallback"], fields)

    def ends(self, sid: str, status: str, **more: str) -> Callback:
        """A call ends so; the callback that says so."""
        self.calls[sid]["status"] = status
        return signed(self.calls[sid]["StatusCallback"], self._call_fields(sid, CallDuration="7", **more))

    def hears(self, sid: str, answered_by: str) -> Callback:
        """Twilio has listened who took the call."""
        call = self.calls[sid]
        assert call["AsyncAmd"] == "true"
        assert call["MachineDetection"] == "Enable"
        return signed(call["AsyncAmdStatusCallback"], self._call_fields(sid, AnsweredBy=answered_by))

    def presses(self, sid: str, key: str, twiml: str = "") -> Callback:
        """Somebody takes the call and presses a key; the callback that says so.

        Args:
            sid: The call.
            key: The key.
            twiml: What the call says just now; at first what it was made with.
        """
        self.calls[sid]["status"] = "in-progress"
        gather = check_twiml(twiml or self.calls[sid]["Twiml"]).find("Gather")
        assert gather is not None
        return signed(gather.attrib["action"], self._call_fields(sid, Digits=key, msg="Gather End"))

    def listens_to_the_end(self, sid: str, twiml: str = "") -> Callback:
        """Somebody, or voicemail, takes the call and presses nothing: the call goes where it is sent then."""
        self.calls[sid]["status"] = "in-progress"
        redirect = check_twiml(twiml or self.calls[sid]["Twiml"]).find("Redirect")
        assert redirect is not None
        return signed(str(redirect.text), self._call_fields(sid))

    def _call_fields(self, sid: str, **more: str) -> dict[str, str]:
        call = self.calls[sid]
        return {
            "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "CallSid": sid, "CallStatus": call["status"],
            "Called": call["To"], "Caller": call["From"], "CalledCountry": "PT", "CallerCity": "",
            "Direction": "outbound-api", "From": call["From"], "To": call["To"], **more,
        }  # fmt: skip


def _check_message(fields: dict[str, str]) -> None:
    assert ("From" in fields) != ("MessagingServiceSid" in fields)
    assert fields.get("From", SMS_FROM) == SMS_FROM
    assert fields.get("MessagingServiceSid", SERVICE) == SERVICE
    assert 0 < len(fields["Body"]) <= 1_600
    assert 1 <= int(fields.get("ValidityPeriod", "36000")) <= 36_000
    assert fields.get("RiskCheck", "enable") in ("enable", "disable")
    _check_url(fields.get("StatusCallback", "https://bell.example.test/"))


def _check_call(fields: dict[str, str]) -> None:
    assert fields["From"] == VOICE_FROM
    assert 5 <= int(fields.get("Timeout", "60")) <= 600
    assert 1 <= int(fields.get("TimeLimit", "14400")) <= 14_400
    assert fields.get("MachineDetection", "Enable") in ("Enable", "DetectMessageEnd")
    for name in ("StatusCallback", "AsyncAmdStatusCallback"):
        _check_url(fields.get(name, "https://bell.example.test/"))
    check_twiml(fields["Twiml"])


def _check_url(url: str) -> None:
    host = re.fullmatch(r"https?://([^/:?#]+)(:\d+)?/\S*", url)
    assert host, url
    assert "_" not in host[1], "21609: no underscore in a host"
    assert url.isascii()


_VERBS: Final = {
    "Response": set(),
    "Gather": {"action", "method", "input", "numDigits", "finishOnKey", "timeout", "actionOnEmptyResult"},
    "Say": {"language", "voice", "loop"},
    "Pause": {"length"},
    "Redirect": {"method"},
    "Hangup": set(),
}
"""Verbs and attributes that we may use, as documented."""


def check_twiml(twiml: str) -> ET.Element:
    """The document, if Twilio would take it."""
    assert len(twiml) <= 4_000
    root = ET.fromstring(twiml)  # noqa: S314 our own
    assert root.tag == "Response"
    for verb in root.iter():
        assert verb.tag in _VERBS, verb.tag
        assert set(verb.attrib) <= _VERBS[verb.tag], verb.attrib
        assert verb.attrib.get("method", "POST") == "POST", "a GET is no answer"
        if verb.tag == "Say":
            assert verb.text
    for gather in root.iter("Gather"):
        assert {child.tag for child in gather} <= {"Say", "Pause"}
        assert gather.attrib["numDigits"] == "1"
        assert gather.attrib["input"] == "dtmf"
        _check_url(gather.attrib["action"])
    for redirect in root.iter("Redirect"):
        _check_url(str(redirect.text))
    return root

"""From an error to what goes over the wire: problem documents (RFC 9457). Once."""

from typing import Final

import msgspec

from nightbell.words.catalogue import Catalogue
from nightbell.words.errors import ErrorCode, NightbellError, PlatformError

STATUS: Final = {
    ErrorCode.MALFORMED: 400,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.TOO_MANY: 422,
    ErrorCode.NOT_SIGNED_IN: 401,
    ErrorCode.NOT_ALLOWED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.WRONG_PASSWORD: 401,
    ErrorCode.TRY_LATER: 429,
    ErrorCode.GUARDRAIL: 422,
    ErrorCode.CONFLICT: 409,
    ErrorCode.EXPIRED: 410,
    ErrorCode.OVERLOADED: 503,
    ErrorCode.NOT_DURABLE: 503,
    ErrorCode.SWITCHED_OFF: 503,
    ErrorCode.INTERNAL: 500,
}
"""HTTP status of each error (RFC 9110, section 15)."""

TYPE: Final = "application/problem+json"


class ProblemDocument(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457).

    Attributes:
        type: Always `about:blank`; `code` says which.
        title: The error in words, the same for each code.
        status: The HTTP status.
        code: For programs; see docs/reference/errors.md.
        detail: What happened, what was kept, what to do.
        fields: Values for a program; never glucose, names or secrets.
    """

    type: str
    title: str
    status: int
    code: ErrorCode
    detail: str
    fields: dict[str, str | int] = {}


class Answer(msgspec.Struct, frozen=True):
    """A problem on its way out: status, headers, document."""

    status: int
    headers: dict[str, str]
    document: ProblemDocument


def answer_of(error: NightbellError, words: Catalogue, *, status: int = 0) -> Answer:
    """How one of our errors is answered; `status` replaces the usual one."""
    retry_after_s: str | int | None = error.fields.get("retry_after_s")
    if isinstance(error, PlatformError):
        retry_after_s = error.retry_after_s
        if retry_after_s is not None and not status:
            # A fault of ours that passes by itself is "not now", not "broken".
            status = STATUS[ErrorCode.OVERLOADED]
    status = status or STATUS[error.code]
    headers: dict[str, str] = {"cache-control": "no-store"}
    if retry_after_s is not None:
        headers["retry-after"] = str(retry_after_s)
    if status == STATUS[ErrorCode.NOT_SIGNED_IN]:
        headers["www-authenticate"] = "Bearer"
    return Answer(
        status=status,
        headers=headers,
        document=ProblemDocument(
            type="about:blank",
            title=words.say(f"errors.{error.code}"),
            status=status,
            code=error.code,
            detail=error.sentence,
            fields=error.fields,
        ),
    )


def code_of_status(status: int) -> ErrorCode:
    """Which of our errors stands for a status that the framework chose."""
    for code, usual in STATUS.items():
        if usual == status:
            return code
    first_of_ours = 500
    return ErrorCode.INTERNAL if status >= first_of_ours else ErrorCode.MALFORMED

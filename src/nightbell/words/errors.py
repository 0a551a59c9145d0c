"""Errors that reach a person or a program outside, by whose fault they are."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Every error we can answer with. Each has a sentence in `catalogues/en/errors.json`."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    NOT_SIGNED_IN = "not_signed_in"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 a code, not a password
    TRY_LATER = "try_later"
    GUARDRAIL = "guardrail"
    CONFLICT = "conflict"
    EXPIRED = "expired"
    OVERLOADED = "overloaded"
    NOT_DURABLE = "not_durable"
    SWITCHED_OFF = "switched_off"
    INTERNAL = "internal"


class NightbellError(Exception):
    """What went wrong, as a code, a sentence for a person, and fields for a program.

    Attributes:
        code: Which error.
        sentence: What happened, what was kept, what to do.
        fields: Values for a program; never glucose, names or secrets.
    """

    def __init__(self, code: ErrorCode, sentence: str, **fields: str | int) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.fields = fields


class CallerError(NightbellError):
    """The caller is at fault: a 4xx."""


class PlatformError(NightbellError):
    """We are at fault: a 5xx. `retry_after_s` is set where trying again helps."""

    def __init__(
        self, code: ErrorCode, sentence: str, *, retry_after_s: int | None = None, **fields: str | int
    ) -> None:
        super().__init__(code, sentence, **fields)
        self.retry_after_s = retry_after_s

"""How logs look, and what never stands in them.

Rules:
1. A line is an event of ours with the fields its caller chose. Nothing else is printed of anybody.
2. A failure is its type and the places in the code it went through. Its message is not printed: it may hold a
   name, glucose or a secret, as `KeyError('Ana')` does. Of the system's errors, the system's own words are.
3. What a library logs is its name, its place and its words before anything was put into them.
4. A line has at most `LINE_CHARS_MAX` signs.
5. Of each event, `BURST_LINES` at once and then one a second: a failing disk is not filled with logs.
   What was left out is counted, and said by the next line of that event that is written.
"""

import logging
import math
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from nightbell.app.settings import Settings
from nightbell.words.clock import Clock, SystemClock

LINE_CHARS_MAX: Final = 8_000
TEXT_CHARS_MAX: Final = 500
"""Of one field: a sentence or two."""

FRAMES_MAX: Final = 20
"""Places of a failure that are printed, the innermost ones."""

CAUSES_MAX: Final = 4

BURST_LINES: Final = 30
EVERY_MS: Final = 1_000
EVENTS_MAX: Final = 1_000
"""Events kept apart. They stand in the code, some hundred of them; this guards against a mistake."""

_OTHER_EVENTS: Final = "other"


class LogCounts:
    """How many lines there were since the start, by level; how many were left out, and how many lost.

    `lost` counts writes that failed: a log that cannot be written must not stop what it speaks of.
    """

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.left_out = 0
        self.lost = 0


COUNTS: Final = LogCounts()
"""Of this process, as its log is."""


class Out:
    """Where lines go. A full disk or a closed pipe there costs the line, and is counted; nothing else."""

    def __init__(self, file: TextIO, counts: LogCounts) -> None:
        self._file = file
        self._counts = counts

    def write(self, text: str) -> None:
        """Write one line, at once."""
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError):
            self._counts.lost += 1


class LineLogger:
    """The last of the way: its methods are the levels, and all write the line."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Write one line."""
        self._out.write(line + "\n")

    debug = info = warning = error = critical = exception = msg


class Bounded:
    """A processor that lets so many lines of an event through and drops the others: rule 5."""

    def __init__(self, clock: Clock, counts: LogCounts) -> None:
        self._clock = clock
        self._counts = counts
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._seen_ms: dict[str, int] = {}
        self._left_out: Counter[str] = Counter()

    def __call__(self, _logger: WrappedLogger, level: str, line: EventDict) -> EventDict:
        """Let it through, or drop it."""
        with self._lock:
            event = str(line.get("event", ""))
            if event not in self._tokens and len(self._tokens) >= EVENTS_MAX:
                event = _OTHER_EVENTS
            now_ms = self._clock.now_ms()
            passed_ms = max(0, now_ms - self._seen_ms.get(event, now_ms))
            self._seen_ms[event] = now_ms
            tokens = min(BURST_LINES, self._tokens.get(event, BURST_LINES) + passed_ms / EVERY_MS)
            if tokens < 1:
                self._tokens[event] = tokens
                self._left_out[event] += 1
                self._counts.left_out += 1
                raise structlog.DropEvent
            self._tokens[event] = tokens - 1
            self._counts.lines[level] += 1
            if left_out := self._left_out.pop(event, 0):
                line["left_out"] = left_out
            return line


def _failure(error: BaseException) -> dict[str, object]:
    """A failure without its message: rule 2."""
    frames = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    told: dict[str, object] = {"type": type(error).__qualname__, "frames": frames[-FRAMES_MAX:]}
    if isinstance(error, OSError) and error.strerror:
        told["system"] = error.strerror
    return told


def failures(_logger: WrappedLogger, _level: str, line: EventDict) -> EventDict:
    """A processor that puts the failure and its causes in the place of `exc_info`."""
    given: ExcInfo | BaseException | bool | None = line.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    chain: list[dict[str, object]] = []
    while isinstance(error, BaseException) and len(chain) < CAUSES_MAX:
        chain.append(_failure(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if chain:
        line["failure"] = chain
    return line


def short(_logger: WrappedLogger, _level: str, line: EventDict) -> EventDict:
    """A processor that cuts long texts: rule 4, as far as one field goes."""
    for key, value in line.items():
        if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
            line[key] = value[:TEXT_CHARS_MAX] + "…"
        elif isinstance(value, float) and not math.isfinite(value):
            line[key] = str(value)  # JSON knows no infinity
    return line


class Whole:
    """The last processor: renders, and where the line is still too long, says only what it was about."""

    def __init__(self, render: Processor) -> None:
        self._render = render

    def __call__(self, logger: WrappedLogger, level: str, line: EventDict) -> str:
        """The line as text."""
        kept = {key: line[key] for key in ("timestamp", "level", "event") if key in line}
        text = str(self._render(logger, level, line))
        return text if len(text) <= LINE_CHARS_MAX else str(self._render(logger, level, kept | {"cut": True}))


class FromLibraries(logging.Handler):
    """What libraries log, through the same processors: rule 3."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record. Words with nothing put into them may have been made with something in them."""
        words = record.msg if record.args and isinstance(record.msg, str) else ""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        structlog.get_logger().log(
            record.levelno,
            "library.said",
            library=record.name,
            words=words,
            place=f"{record.funcName}:{record.lineno}",
            exc_info=error,
        )


def _as_text(failure: object) -> str:
    """Fields of a failure for a terminal."""
    if not isinstance(failure, list):
        return str(failure)
    lines = []
    for one in failure:
        system = f": {one['system']}" if "system" in one else ""
        lines += [f"  {one['type']}{system}", *(f"    {frame}" for frame in one["frames"])]
    return "\n" + "\n".join(lines)


def _console(logger: WrappedLogger, level: str, line: Mapping[str, Any]) -> str:
    failure = line.get("failure")
    rest = {key: value for key, value in line.items() if key != "failure"}
    text = str(_CONSOLE(logger, level, rest))
    return text if failure is None else text + _as_text(failure)


_CONSOLE: Final = structlog.dev.ConsoleRenderer()


def set_up_logs(settings: Settings, *, file: TextIO | None = None, clock: Clock | None = None) -> None:
    """Text on a terminal, else one JSON object a line, unless the operator chose.

    Args:
        settings: What the operator chose.
        file: Where lines go; standard error if not given.
        clock: The time of day.
    """
    out = file or sys.stderr
    text = settings.log_format == "text" or (settings.log_format == "auto" and out.isatty())
    lines = Out(out, COUNTS)
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            Bounded(clock or SystemClock(), COUNTS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            failures,
            short,
            Whole(_console if text else structlog.processors.JSONRenderer(ensure_ascii=False)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: LineLogger(lines),
        cache_logger_on_first_use=True,
    )


def catch_the_rest(settings: Settings) -> None:
    """What libraries say and what nobody caught become lines of our log, for the life of this process.

    Python's own way would print the messages of failures, and whatever libraries put into their words.

    Args:
        settings: What the operator chose. What libraries say below a warning is written at debug only.
    """
    root = logging.getLogger()
    root.addHandler(FromLibraries())
    root.setLevel(logging.DEBUG if settings.log_level == "debug" else logging.WARNING)
    logging.captureWarnings(capture=True)

    def ended(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            return
        structlog.get_logger().critical("process.failed", exc_info=error)

    def ended_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            structlog.get_logger().critical("thread.failed", exc_info=args.exc_value)

    def nobody_asked(args: "sys.UnraisableHookArgs") -> None:
        if args.exc_value is not None:
            structlog.get_logger().error("failure.unraisable", exc_info=args.exc_value)

    sys.excepthook = ended
    threading.excepthook = ended_in_thread
    sys.unraisablehook = nobody_asked

"""The OpenAPI document: the framework's operations, the door's and the stream's, from the same structs."""

from typing import Any, Final

import msgspec

from nightbell.deliver.events import (
    AlarmOut,
    AnswerOut,
    HeartbeatOut,
    NotificationOut,
    ReadingOut,
    SnapshotOut,
    SystemOut,
)
from nightbell.load.again import AGAIN_S_MAX
from nightbell.load.deadline import LEFT_MS_MAX
from nightbell.publish.native import Problem, Upload, UploadAnswer
from nightbell.web.front import DOOR, STREAM
from nightbell.web.problem import TYPE, ProblemDocument
from nightbell.web.stream import COOKIE

Document = dict[str, Any]
"""JSON of the OpenAPI specification, version 3.1."""

VERSION: Final = "1.0.0"

EVENTS: Final = {
    "snapshot": SnapshotOut,
    "reading": ReadingOut,
    "alarm": AlarmOut,
    "notification": NotificationOut,
    "answer": AnswerOut,
    "system": SystemOut,
    "hb": HeartbeatOut,
}
"""Events of the stream by name."""

_REF: Final = "#/components/schemas/{name}"
_STREAM_REF: Final = "#/components/schemas/Stream.{name}"

_STREAM_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
"""What the stream answers when it does not begin."""

_DEADLINE: Final = {
    "name": "Deadline-Ms",
    "in": "header",
    "required": False,
    "description": (
        "For how many milliseconds you still wait. What would be answered later is not done, and 503 is "
        "answered as soon as that is known. Without it reads of history and sign-in count as awaited "
        "for 10 s, an upload for ever."
    ),
    "schema": {"type": "integer", "minimum": 1, "maximum": LEFT_MS_MAX},
}
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": (
            "With 503 and 429: come again after so many seconds, not sooner. It is worked out from what "
            "waits, and is another for each client, so that not everybody comes at once. A refusal for "
            "want of room is held for two to five seconds before it is answered."
        ),
        "schema": {"type": "integer", "minimum": 1, "maximum": AGAIN_S_MAX},
    }
}

_SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"cookie": []}]
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A grant from sign-in, or a key."},
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "The grant of our own pages.",
    },
}


def whole_document(framework: Document) -> Document:
    """The document of everything, from the framework's own."""
    parts: tuple[type, ...] = (Upload, UploadAnswer, Problem, ProblemDocument)
    door, door_parts = msgspec.json.schema_components(parts, ref_template=_REF)
    upload, answer, door_problem, problem = door
    events, stream_parts = msgspec.json.schema_components(EVENTS.values(), ref_template=_STREAM_REF)
    schemas = framework.setdefault("components", {}).setdefault("schemas", {})
    schemas |= door_parts | {f"Stream.{name}": part for name, part in stream_parts.items()}
    framework["components"]["securitySchemes"] = _SCHEMES
    framework["security"] = _SECURITY
    framework["paths"][DOOR] = {"post": _publish(upload, answer)}
    framework["paths"][STREAM] = {"get": _stream(dict(zip(EVENTS, events, strict=True)))}
    for path, operations in framework["paths"].items():
        failed = _failed({DOOR: door_problem, STREAM: _STREAM_PROBLEM}.get(path, problem))
        for operation in operations.values():
            if path != STREAM:
                operation["parameters"] = [*operation.get("parameters", []), _DEADLINE]
            responses = {
                status: response
                for status, response in operation["responses"].items()
                if not status.startswith(("4", "5"))
            }
            operation["responses"] = responses | {"default": failed}
    framework["paths"] = dict(sorted(framework["paths"].items()))
    return framework


def _failed(problem: Document) -> Document:
    return {
        "description": "It did not work: what, and what to do.",
        "headers": _RETRY_AFTER,
        "content": {TYPE: {"schema": problem}},
    }


def _publish(upload: Document, answer: Document) -> Document:
    return {
        "tags": ["publish"],
        "operationId": "publish",
        "summary": "Publish",
        "description": (
            "Hand over up to 512 readings in 256 KiB. The answer comes when what is accepted is durable. "
            "In a batch a bad reading is refused with its place and a reason, and the good ones are kept. "
            "503 with `Retry-After`: send all of it again then; what is sent twice counts once."
        ),
        "requestBody": {"required": True, "content": {"application/json": {"schema": upload}}},
        "responses": {
            "200": {
                "description": "What became of it.",
                "content": {"application/json": {"schema": answer}},
            }
        },
    }


def _stream(events: dict[str, Document]) -> Document:
    return {
        "tags": ["stream"],
        "operationId": "stream",
        "summary": "Stream",
        "description": (
            "Server-sent events: a snapshot first, then what happens, as it happens, and every 10 s a "
            "heartbeat that proves that alarms are being evaluated. Nothing heard until "
            "`stream_until_ms`: you are not being watched. `Last-Event-ID` resumes. Event names: "
            + ", ".join(f"`{name}`" for name in events)
        ),
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "Id of the last event that was heard.",
                "schema": {"type": "string", "maxLength": 64},
            }
        ],
        "responses": {
            "200": {
                "description": "Events, without end. The schema is that of the data of each event.",
                "content": {"text/event-stream": {"schema": {"oneOf": list(events.values())}}},
            }
        },
    }

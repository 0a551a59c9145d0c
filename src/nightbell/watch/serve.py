"""What our own server answers: the files of the page, and `/health`. Pure; the server is elsewhere."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from nightbell.watch.page import POLICY

TYPES: Final = {
    "html": b"text/html; charset=utf-8",
    "json": b"application/json",
    "atom": b"application/atom+xml; charset=utf-8",
}

GUARDS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Served(NamedTuple):
    """One answer: status, headers, body."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def served(method: str, path: str, files: Mapping[str, bytes], health: bytes) -> Served:
    """The answer to one request. Nothing is looked for on a disk: a path is a name in `files` or nothing."""
    if method not in {"GET", "HEAD"}:
        return _plain(405, b"Only GET and HEAD.\n", (b"allow", b"GET, HEAD"))
    name = path.removeprefix("/") or "index.html"
    if name == "health":
        content, kind = health, TYPES["json"]
    else:
        content, kind = files.get(name, b""), TYPES.get(name.rpartition(".")[2], b"")
    if not content:
        if name in {"health", "index.html"}:
            return _plain(503, b"Nothing has been checked yet.\n", (b"retry-after", b"2"))
        return _plain(404, b"There is no such page.\n")
    headers = [*GUARDS, (b"content-type", kind), (b"content-length", b"%d" % len(content))]
    if name != "health" and not name.endswith(".html"):
        # Other people's pages may show how we stand: there is nothing private in it.
        headers.append((b"access-control-allow-origin", b"*"))
    return Served(200, tuple(headers), content if method == "GET" else b"")


def _plain(status: int, text: bytes, *more: tuple[bytes, bytes]) -> Served:
    headers = (
        *GUARDS,
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(text)),
        *more,
    )
    return Served(status, headers, text)

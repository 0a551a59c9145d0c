"""The static files: read once, kept in memory, addressed by what they contain, so they never go stale."""

import hashlib
import mimetypes
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

PREFIX: Final = "/static/"
_BUILD_LENGTH: Final = 12
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


class File(NamedTuple):
    """One static file."""

    content: bytes
    type: bytes


class Files:
    """All static files of this build.

    The address holds a hash over all of them: `/static/3f2a.../main.js`. Modules import each other by
    relative names, so one page never mixes two builds.
    """

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._read(resources.files("nightbell.web").joinpath("static"), "")
        digest = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            digest.update(name.encode() + b"\0" + file.content)
        self.build: Final = digest.hexdigest()[:_BUILD_LENGTH]

    def _read(self, folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                self._read(entry, f"{prefix}{entry.name}/")
            else:
                suffix = f".{entry.name.rpartition('.')[2]}"
                kind = _TYPES.get(suffix) or mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
                charset = "; charset=utf-8" if kind.startswith(("text/", "image/svg")) else ""
                self._files[f"{prefix}{entry.name}"] = File(entry.read_bytes(), f"{kind}{charset}".encode())

    def address(self, name: str) -> str:
        """Where a file is found.

        Raises:
            KeyError: There is no such file: a programmer's error.
        """
        assert name in self._files, name
        return f"{PREFIX}{self.build}/{name}"

    def content(self, name: str) -> bytes:
        """What stands in a file.

        Raises:
            KeyError: There is no such file: a programmer's error.
        """
        return self._files[name].content

    def at(self, path: str) -> tuple[File, bool] | None:
        """The file at a path below `/static/`, and whether it may be kept for ever; None if there is none.

        A page of an older build, still open somewhere, gets the file of now, but may not keep it.
        """
        build, _, name = path.removeprefix(PREFIX).partition("/")
        file = self._files.get(name)
        return None if file is None else (file, build == self.build)

    def names(self) -> list[str]:
        """All files, by name."""
        return sorted(self._files)

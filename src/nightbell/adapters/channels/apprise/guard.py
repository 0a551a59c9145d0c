"""Doors that plug-ins may not go through, whatever an address makes of them. For the child only.

Python tells audit hooks (PEP 578) before it connects, opens a file or starts a program, and they may say no.
So a plug-in that builds a host name from an address reaches the provider, or a public machine, and never our
network; and it reads no file but Python's own and the certificates. It is no wall against code that wants
out: plug-ins are not our enemies, what people type may be.
"""

import ipaddress
import os
import resource
import socket
import sys
from typing import Final

from nightbell.adapters.http_client import is_allowed

_NEVER: Final = (
    *("subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty."),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown"),
)
"""Programs are not started, and no file is made, moved or taken away."""

_ELSEWHERE: Final = (
    "/etc/ssl",
    "/usr/lib/ssl",
    "/usr/share/zoneinfo",
    "/etc/mime.types",
    "/dev/urandom",
    "/dev/null",
)
"""What may be read beside Python itself: certificates, time zones, names of file types."""

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit(memory_bytes_max: int) -> None:
    """Bound what the process may take: memory, and not one byte into any file."""
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes_max),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 128),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def shut(*, private_allowed: bool) -> None:
    """Shut the doors, for as long as the process lives."""
    roots = tuple(
        path.rstrip("/") + "/"
        for path in (*map(os.path.realpath, (*sys.path, sys.prefix, sys.base_prefix)), *_ELSEWHERE)
        if path not in ("", "/")
    )

    def asked(name: str, arguments: tuple[object, ...]) -> None:
        if name in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            _may_connect(arguments[0], arguments[1], private_allowed=private_allowed)
        elif name == "open":
            _may_open(arguments[0], arguments[2], roots)
        elif name.startswith(_NEVER):
            raise PermissionError("this is not done here")

    sys.addaudithook(asked)


def _may_connect(own: object, where: object, *, private_allowed: bool) -> None:
    """Raises for what is no address of the internet, or one that may not be reached."""
    assert isinstance(own, socket.socket)
    if own.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(where, tuple):
        raise PermissionError("this is not connected to")
    address = ipaddress.ip_address(str(where[0]).partition("%")[0])
    if not is_allowed(address, private_allowed=private_allowed):
        raise PermissionError("this is not connected to")


def _may_open(path: object, flags: object, roots: tuple[str, ...]) -> None:
    """Raises for a file that is neither Python's nor a certificate, and for every write."""
    if isinstance(path, int):
        return  # what is open already
    assert isinstance(path, str | bytes | os.PathLike)
    real = os.path.realpath(os.fsdecode(path)) + "/"
    writes = isinstance(flags, int) and bool(flags & _WRITES)
    if writes and real != "/dev/null/":
        raise PermissionError("nothing is written here")
    if not real.startswith(roots):
        raise PermissionError("this is not read here")

"""A strict push service with its devices: real HTTP over TLS, that opens what it is handed.

Built from RFC 8030 (headers), RFC 8188 and 8291 (the sealed body, opened with the device's own keys) and
RFC 8292 (the token). It shares no code with the product. What a service would not take, or does not expect,
stands in `wrong`.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import ssl
from typing import Any, Final, NamedTuple

import trustme
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nightbell.words.clock import Clock
from tests.simulators.hook_server import Call, HookServer

NEEDED: Final = {"authorization", "content-encoding", "content-type", "ttl", "urgency", "user-agent"}
ALLOWED: Final = NEEDED | {"topic", "host", "content-length", "accept", "accept-encoding", "connection"}
URGENCIES: Final = {"very-low", "low", "normal", "high"}
TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
BODY_MAX: Final = 4_096
TTL_MAX: Final = 28 * 86_400
DAY_S: Final = 86_400


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 of RFC 5869, for one block."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)[:length]


def opened(body: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """What a device reads (RFC 8291, section 4).

    Raises:
        ValueError: It is not of that form.
        InvalidTag: It was not sealed for this device.
    """
    salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    sender, cipher = body[21 : 21 + length], body[21 + length :]
    if size < len(cipher) or length != 65:
        raise ValueError("not one record of aes128gcm")
    shared = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
    secret = derive(shared, auth, b"WebPush: info\x00" + point(private.public_key()) + sender, 32)
    key = derive(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = derive(secret, salt, b"Content-Encoding: nonce\x00", 12)
    plain = AESGCM(key).decrypt(nonce, cipher, None).rstrip(b"\x00")
    if not plain.endswith(b"\x02"):
        raise ValueError("not the last record")
    return plain[:-1]


class Device(NamedTuple):
    """A browser that is subscribed.

    Attributes:
        path: Of its endpoint.
        server_key: The key it was subscribed under, as a page gives it; empty takes any.
    """

    path: str
    private: ec.EllipticCurvePrivateKey
    auth: bytes
    server_key: str


class Push(NamedTuple):
    """One push that was taken."""

    device: Device
    headers: dict[str, str]
    plain: bytes
    claims: dict[str, Any]

    @property
    def told(self) -> dict[str, Any]:
        """Its JSON."""
        return dict(json.loads(self.plain))


class PushServer(HookServer):
    """A push service of localhost on a free port. Its certificate is that of `authority`."""

    def __init__(self, clock: Clock) -> None:
        self._authority = trustme.CA()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("localhost").configure_cert(tls)
        super().__init__(tls=tls)
        self._clock = clock
        self.forced = ""
        """A status that is answered whatever comes."""
        self.answer = b""
        self.wrong: list[str] = []
        self.pushes: list[Push] = []
        self.devices: dict[str, Device] = {}

    @property
    def trust(self) -> ssl.SSLContext:
        """What trusts this service."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def subscribe(self, server_key: str = "") -> Device:
        """A new device."""
        private = ec.generate_private_key(ec.SECP256R1())
        path = f"/push/{b64(hashlib.sha256(point(private.public_key())).digest())}"
        device = Device(path, private, hashlib.md5(path.encode(), usedforsecurity=False).digest(), server_key)
        self.devices[path] = device
        return device

    def unsubscribe(self, device: Device) -> None:
        del self.devices[device.path]

    def address(self, device: Device) -> str:
        """As `JSON.stringify(subscription)` writes it."""
        keys = {"p256dh": b64(point(device.private.public_key())), "auth": b64(device.auth)}
        return json.dumps({"endpoint": self.origin + device.path, "expirationTime": None, "keys": keys})

    def opened(self, call: Call) -> Push:
        """A call that was taken, as its device reads it."""
        device = self.devices[call.target]
        return Push(device, call.headers, opened(call.body, device.private, device.auth), {})

    async def _read(self, reader: asyncio.StreamReader) -> Call:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        method, target, _ = first.split()
        self.status = self.forced or self._judged(method, target, headers, body)
        return Call(target, headers, body, None)

    def _judged(self, method: str, target: str, headers: dict[str, str], body: bytes) -> str:
        """The status of what came; what no well-behaved sender does is kept in `wrong`."""
        device = self.devices.get(target)
        if device is None:
            return "410 Gone"
        self._check_headers(method, headers, body)
        claims = self._claims(headers.get("authorization", ""), device)
        if claims is None:
            return "403 Forbidden"
        if len(body) > BODY_MAX:
            return "413 Content Too Large"
        try:
            plain = opened(body, device.private, device.auth)
        except (ValueError, InvalidTag) as error:
            self.wrong.append(f"cannot be opened: {type(error).__name__} {error}")
            return "400 Bad Request"
        self.pushes.append(Push(device, headers, plain, claims))
        return "201 Created"

    def _check_headers(self, method: str, headers: dict[str, str], body: bytes) -> None:
        ttl = headers.get("ttl", "")
        faults = {
            f"method {method}": method != "POST",
            f"missing {NEEDED - set(headers)}": bool(NEEDED - set(headers)),
            f"unknown {set(headers) - ALLOWED}": bool(set(headers) - ALLOWED),
            f"ttl {ttl}": not ttl.isdigit() or not 0 < int(ttl) <= TTL_MAX,
            f"urgency {headers.get('urgency')}": headers.get("urgency") not in URGENCIES,
            f"topic {headers.get('topic')}": not TOPIC.fullmatch(headers.get("topic", "none")),
            f"encoding {headers.get('content-encoding')}": headers.get("content-encoding") != "aes128gcm",
            f"type {headers.get('content-type')}": headers.get("content-type") != "application/octet-stream",
            f"{len(body)} bytes": len(body) > BODY_MAX,
        }
        self.wrong += [fault for fault, holds in faults.items() if holds]

    def _claims(self, authorization: str, device: Device) -> dict[str, Any] | None:
        """The token's claims; None if the device was subscribed under another key."""
        found = re.fullmatch(r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), k=([\w-]+)", authorization)
        if found is None:
            self.wrong.append("authorization is not of the form of RFC 8292")
            return {}
        head, claimed, signature, key = found.groups()
        if device.server_key and key != device.server_key:
            return None
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(key))
        halves = unb64(signature)
        first, second = int.from_bytes(halves[:32], "big"), int.from_bytes(halves[32:], "big")
        try:
            public.verify(
                encode_dss_signature(first, second), f"{head}.{claimed}".encode(), ec.ECDSA(SHA256())
            )
        except InvalidSignature:
            self.wrong.append("the token's signature is wrong")
        claims = dict(json.loads(unb64(claimed)))
        left_s = int(claims.get("exp", 0)) - self._clock.now_ms() // 1000
        faults = {
            f"head {unb64(head)!r}": json.loads(unb64(head)) != {"typ": "JWT", "alg": "ES256"},
            f"signature of {len(halves)} bytes": len(halves) != 64,
            f"claims {sorted(claims)}": sorted(claims) != ["aud", "exp", "sub"],
            f"aud {claims.get('aud')}": claims.get("aud") != self.origin,
            f"exp in {left_s} s": not 0 < left_s <= DAY_S,
            f"sub {claims.get('sub')}": not re.match(r"mailto:[^@]+@.+\..+|https://.+\..+", claims["sub"]),
        }
        self.wrong += [fault for fault, holds in faults.items() if holds]
        return claims

"""A certificate and its key for the server, checked at the start with errors that say what to do."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509

from nightbell.words.clock import from_ms, to_ms

PEM_BYTES_MAX: Final = 1024 * 1024
SOON: Final = timedelta(days=14)
"""How long before its end a certificate is called old: ACME clients renew about a month before."""


class TlsError(Exception):
    """The certificate or the key cannot be used. The text says why and what to do."""


class TlsFiles(NamedTuple):
    """A pair that fits.

    Attributes:
        certificate: PEM file with the certificate, then its chain.
        key: PEM file with the private key.
        names: What it is made out to, as `bell.example.org`.
        ends_ms: When it ends, epoch ms.
        warning: A sentence if it ends soon, else empty.
    """

    certificate: Path
    key: Path
    names: tuple[str, ...]
    ends_ms: int
    warning: str


def load_tls(certificate: Path, key: Path, now_ms: int) -> TlsFiles:
    """Check a pair as the server will use it.

    Raises:
        TlsError: A file is missing or no PEM, the two do not fit, or the certificate is not valid now.
    """
    first = _first_certificate(certificate)
    _ = _read(key, "key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        raise TlsError(_misfit(certificate, key, error)) from None
    now = from_ms(now_ms)
    if now >= first.not_valid_after_utc:
        raise TlsError(
            f"{certificate} ended on {first.not_valid_after_utc:%Y-%m-%d}: renew it and start again."
        )
    if now < first.not_valid_before_utc:
        raise TlsError(f"{certificate} begins on {first.not_valid_before_utc:%Y-%m-%d}: is this clock right?")
    left = first.not_valid_after_utc - now
    warning = f"{certificate} ends in {left.days} days: renew it soon." if left < SOON else ""
    return TlsFiles(certificate, key, _names(first), int(to_ms(first.not_valid_after_utc)), warning)


def _no_password() -> str:
    """OpenSSL would else ask on the terminal, and a service would hang there."""
    raise TlsError("The key is locked with a password. Store it without one, readable by this user only.")


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(PEM_BYTES_MAX + 1)
    except OSError as error:
        raise TlsError(f"The {what} {path} cannot be read: {error.strerror}.") from None
    if len(raw) > PEM_BYTES_MAX or b"-----BEGIN" not in raw:
        raise TlsError(f"The {what} {path} is not PEM: it should begin with -----BEGIN.")
    return raw


def _first_certificate(path: Path) -> x509.Certificate:
    """The server's own certificate: the first in the file."""
    try:
        return x509.load_pem_x509_certificate(_read(path, "certificate"))
    except ValueError:
        raise TlsError(
            f"{path} holds no certificate. Are certificate and key swapped? It is --tls CERT KEY."
        ) from None


def _misfit(certificate: Path, key: Path, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of {certificate}: give the two that were made together."
    return f"{certificate} and {key} cannot be used: {error.reason or 'they are damaged'}."


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [*names.get_values_for_type(x509.DNSName)]
    found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return tuple(found)

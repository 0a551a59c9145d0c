"""A certificate is checked before anything is promised over it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from nightbell.app.tls import TlsError, load_tls
from nightbell.words.clock import to_ms

NOW_MS = to_ms(datetime.now(UTC))  # noqa: TID251 trustme issues certificates by the clock of this machine


class Pair:
    """A certificate and its key, on disk."""

    def __init__(self, folder: Path, name: str, not_after: datetime | None = None) -> None:
        issued = trustme.CA().issue_cert("bell.example.org", "127.0.0.1", not_after=not_after)
        self.certificate, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        self.private = issued.private_key_pem.bytes()
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)
        self.key.write_bytes(self.private)


def test_a_pair_that_fits_says_what_it_is_made_out_to(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "good", not_after=datetime.now(UTC) + timedelta(days=90))  # noqa: TID251 as above

    files = load_tls(pair.certificate, pair.key, NOW_MS)

    assert files.names == ("bell.example.org", "127.0.0.1")
    assert files.warning == ""


def test_one_that_ends_soon_is_said(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "old", not_after=datetime.now(UTC) + timedelta(days=3, hours=1))  # noqa: TID251 as above

    assert "ends in 3 days" in load_tls(pair.certificate, pair.key, NOW_MS).warning


def test_one_that_has_ended_is_refused(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "ended", not_after=datetime.now(UTC) + timedelta(days=3))  # noqa: TID251 as above

    with pytest.raises(TlsError, match="renew it"):
        load_tls(pair.certificate, pair.key, NOW_MS + 4 * 86_400_000)


def test_one_that_has_not_begun_is_refused(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "early")

    with pytest.raises(TlsError, match="clock right"):
        load_tls(pair.certificate, pair.key, 0)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, other = Pair(tmp_path, "one"), Pair(tmp_path, "other")

    with pytest.raises(TlsError, match="is not the key of"):
        load_tls(one.certificate, other.key, NOW_MS)


def test_swapped_files_are_recognised(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "pair")

    with pytest.raises(TlsError, match="swapped"):
        load_tls(pair.key, pair.certificate, NOW_MS)


def test_a_locked_key_never_waits_at_a_prompt(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "locked")
    key = serialization.load_pem_private_key(pair.private, None)
    pair.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    with pytest.raises(TlsError, match="locked with a password"):
        load_tls(pair.certificate, pair.key, NOW_MS)


def test_missing_and_foreign_files_are_said(tmp_path: Path) -> None:
    pair = Pair(tmp_path, "pair")
    (tmp_path / "note.txt").write_text("hello")

    with pytest.raises(TlsError, match="No such file"):
        load_tls(tmp_path / "gone.pem", pair.key, NOW_MS)
    with pytest.raises(TlsError, match="No such file"):
        load_tls(pair.certificate, tmp_path / "gone.key", NOW_MS)
    with pytest.raises(TlsError, match="not PEM"):
        load_tls(tmp_path / "note.txt", pair.key, NOW_MS)

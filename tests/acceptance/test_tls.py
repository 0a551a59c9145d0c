"""The first recipe of docs/recipes/phone.md: `up --tls` with a certificate of a local authority."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trustme

from tests.acceptance.running import asked, nightbell, running

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.enable_socket]


class Safe(NamedTuple):
    """A platform that speaks https, and the authority that vouches for it."""

    folder: Path
    url: str
    authority: Path


@pytest.fixture(scope="module")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Safe]:
    papers, folder = tmp_path_factory.mktemp("papers"), tmp_path_factory.mktemp("bell")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(papers / "authority.pem")
    issued = authority.issue_cert("bell.example.org", "127.0.0.1")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(papers / "fullchain.pem", append=True)
    issued.private_key_pem.write_to_path(papers / "privkey.pem")
    with running(folder, "--tls", str(papers / "fullchain.pem"), str(papers / "privkey.pem")) as url:
        yield Safe(folder, url, papers / "authority.pem")


def test_a_client_that_trusts_the_authority_gets_the_page(safe: Safe) -> None:
    context = ssl.create_default_context(cafile=str(safe.authority))

    with httpx.Client(verify=context, trust_env=False) as client:
        answer = client.get(f"{safe.url}/", follow_redirects=True)

    assert safe.url.startswith("https://")
    assert answer.status_code == 200
    assert "Nightbell" in answer.text


def test_a_client_that_does_not_trust_it_gets_nothing(safe: Safe) -> None:
    with (
        httpx.Client(trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(f"{safe.url}/")


def test_the_newest_tls_is_spoken(safe: Safe) -> None:
    context = ssl.create_default_context(cafile=str(safe.authority))

    with httpx.Client(verify=context, trust_env=False) as client:
        version = (
            client.get(f"{safe.url}/").extensions["network_stream"].get_extra_info("ssl_object").version()
        )

    assert version == "TLSv1.3"


def test_a_recording_is_published_over_it_by_who_trusts_the_authority(safe: Safe, tmp_path: Path) -> None:
    nightbell(safe.folder, "person", "add", "Ana", stdin="for the app\n")
    (tmp_path / "two.csv").write_text(
        "time,glucose_mgdl\n2026-01-01T00:00:00Z,100\n2026-01-01T00:00:03Z,52\n"
    )

    told = asked(
        safe.folder,
        "publish", str(tmp_path / "two.csv"), "--as", "Ana", "--speed", "3", "--ca", str(safe.authority),
    )  # fmt: skip

    assert told == {"sent": 2, "refused": 0, "low": 1, "unreadable": 0}


def test_a_bad_pair_is_refused_before_anything_starts(safe: Safe, tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("hello")

    nightbell(tmp_path, "up", "--tls", str(tmp_path / "not.pem"), str(tmp_path / "not.pem"), code=1)
    nightbell(safe.folder, "up", "--listen", "127.0.0.1:0", "--no-watcher", code=1)

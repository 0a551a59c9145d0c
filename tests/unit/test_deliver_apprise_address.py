"""Which Apprise URLs may be used, held against the plug-ins that are installed."""

import warnings
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager
from hypothesis import given
from hypothesis import strategies as st

from nightbell.adapters.channels.apprise.address import (
    ADDRESS_LENGTH_MAX,
    OWN_MACHINES,
    PARAMETERS,
    PROVIDERS,
    is_address,
)

LOCAL = (
    "dbus", "qt", "kde", "glib", "gio", "gnome", "macosx", "windows", "syslog", "blink1", "file",
    "growl", "rsyslog",
)  # fmt: skip
FOR_ALL_TO_READ = (
    "mastodon",
    "mastodons",
    "toot",
    "bluesky",
    "bsky",
    "twitter",
    "x",
    "reddit",
    "nostr",
    "instagram",
)
WITH_A_CHANNEL = ("pover", "ntfy", "ntfys", "tgram", "twilio", "mailto", "mailtos", "vapid")
ANY_HOST = ("workflow", "workflows", "form", "forms", "xml", "xmls", "apprise", "apprises", "smpp", "fcm")


@pytest.fixture(scope="module")
def plugins() -> dict[str, Any]:
    """Every plug-in by its schemes."""
    manager = NotificationManager()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what plug-ins import is theirs
        manager.load_modules()
    return {scheme: manager[scheme] for scheme in manager.schemas(include_disabled=True)}


@pytest.mark.parametrize("scheme", sorted(PROVIDERS))
def test_a_provider_that_is_allowed_is_there_and_no_host_stands_in_its_address(
    plugins: dict[str, Any], scheme: str
) -> None:
    plugin = plugins[scheme]

    assert plugin.enabled
    assert not [template for template in plugin.templates if "{host" in template or "{port" in template]
    assert is_address(f"{scheme}://token/target")


@pytest.mark.parametrize("scheme", sorted(OWN_MACHINES))
def test_a_machine_of_ones_own_needs_the_operators_leave(plugins: dict[str, Any], scheme: str) -> None:
    assert plugins[scheme].enabled
    assert not is_address(f"{scheme}://host/target")
    assert is_address(f"{scheme}://host/target", private_allowed=True)


@pytest.mark.parametrize("scheme", [*LOCAL, *FOR_ALL_TO_READ, *WITH_A_CHANNEL, *ANY_HOST])
def test_what_reaches_this_machine_or_everybody_is_never_allowed(scheme: str) -> None:
    assert not is_address(f"{scheme}://host/target", private_allowed=True)
    assert not is_address(f"{scheme}://", private_allowed=True)


@pytest.mark.parametrize(
    "parameter",
    [
        "template", "keyfile", "subfile", "attach", "attachment", "attach-as", "file", "config", "verify",
        "redirect", "rto", "cto", "retry", "wait", "store", "url", "href", "avatar_url", "image_url",
        "callback", "webhook", "smtp", "pgp", "+X-Header", "-get", ":payload", "relay", "endpoint", "tz",
        "emojis", "optional",
    ],
)  # fmt: skip
def test_a_parameter_that_reads_files_or_leads_elsewhere_is_refused(parameter: str) -> None:
    for joint in ("?", "?to=ben&", "?to=ben&&", "?to=ben;", "?to=ben%26?", "?to=ben#"):
        for written in (parameter, parameter.upper(), "%20" + parameter):
            assert not is_address(f"discord://a/b{joint}{written}=/etc/passwd", private_allowed=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "discord",
        "discord://",
        "DISCORD://a/b",
        " discord://a/b",
        "discord://a/b json://127.0.0.1/",
        "discord://a/b, json://127.0.0.1/",
        "discord://a/b\r\nX: y",
        "discord://a/ü",
        "https://discord.com/api/webhooks/1/2",
        "discord://a/" + "b" * ADDRESS_LENGTH_MAX,
    ],
)
def test_what_is_no_apprise_url_of_ours_is_refused(text: str) -> None:
    assert not is_address(text, private_allowed=True)


def test_several_addresses_in_one_are_refused() -> None:
    assert not is_address("discord://a/b,json://127.0.0.1/")
    assert not is_address("slack://a/b/c,syslog://")


@given(st.text(max_size=60))
def test_whatever_is_typed_it_does_not_raise(text: str) -> None:
    for begin in ("", "discord://", "discord://a/b?", "discord://[", "json://[::"):
        is_address(begin + text, private_allowed=True)


@given(st.sampled_from(sorted(PARAMETERS)))
def test_a_parameter_that_says_to_whom_and_how_loud_is_allowed(parameter: str) -> None:
    assert is_address(f"discord://a/b?{parameter}=1")

"""A settings file as an operator may break it: a seed makes one mutation, always the same one."""

import random
import re
from collections.abc import Callable
from typing import Final

WHOLE: Final = """\
listen = "127.0.0.1:8377"
watcher_listen = "127.0.0.1:8378"
public_url = "https://bell.example.org"
watcher_url = ""
journal_days = 7
history_days = 90
allow_private_webhooks = false
canary = false
log_format = "json"

[smtp]
host = "mail.example.org"
port = 587
user = "bell"
password = "hunter2-unique"
starttls = true
tls = false
sender = "bell@example.org"

[lanes]
live_readings_max = 100000
backfill_readings_max = 200000

[switches]
backfill = true
history = true
new_sign_ins = true
"""
"""Every kind of value that there is."""

VALUES: Final = (
    "true", "false", "0", "-1", "1", "3.5", "1e400", "nan", "99999999999999999999", "9" * 5_000, '""', '"x"',
    '"\\u0000"', "[]", "{}", "2026-01-01", '"127.0.0.1:99999"', '"[::1"', '"host:8377:"', '"http://["',
    '"https://bell.example.org:port"', '"..:80"', '"a..b:80"', '"' + "x" * 70 + ':80"', '"é\\u200d:80"',
    "'''\n'''", '"yes"', "0x10", "[" * 3_000,
)  # fmt: skip


def mutated(seed: int) -> bytes:
    """One mutation; its kind goes round with the seed."""
    chance = random.Random(seed)
    return KINDS[seed % len(KINDS)](WHOLE, chance)


def kind_of(seed: int) -> str:
    """What is done, in a word."""
    return KINDS[seed % len(KINDS)].__name__.strip("_")


def _dropped(text: str, chance: random.Random) -> bytes:
    signs = list(text)
    for _ in range(chance.randint(1, 5)):
        del signs[chance.randrange(len(signs))]
    return "".join(signs).encode()


def _wrong_value(text: str, chance: random.Random) -> bytes:
    lines = text.splitlines()
    places = [place for place, line in enumerate(lines) if " = " in line]
    place = chance.choice(places)
    lines[place] = f"{lines[place].partition(' = ')[0]} = {chance.choice(VALUES)}"
    return "\n".join(lines).encode()


def _swapped_keys(text: str, chance: random.Random) -> bytes:
    lines = text.splitlines()
    one, other = chance.sample([place for place, line in enumerate(lines) if " = " in line], 2)
    (key, _, value), (other_key, _, other_value) = lines[one].partition(" = "), lines[other].partition(" = ")
    lines[one], lines[other] = f"{other_key} = {value}", f"{key} = {other_value}"
    return "\n".join(lines).encode()


def _unknown_key(text: str, chance: random.Random) -> bytes:
    key = chance.choice(re.findall(r"^(\w+) =", text, re.MULTILINE))
    return re.sub(rf"^{key} =", f"{key}{chance.choice('xyz')} =", text, flags=re.MULTILINE).encode()


def _lost_lines(text: str, chance: random.Random) -> bytes:
    lines = text.splitlines()
    first = chance.randrange(len(lines))
    del lines[first : first + chance.randint(1, 8)]
    return "\n".join(lines).encode()


def _cut_off(text: str, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))].encode()


def _binary(text: str, chance: random.Random) -> bytes:
    place = chance.randrange(len(text))
    return text[:place].encode() + chance.randbytes(chance.randint(1, 64)) + text[place:].encode()


def _changed_sign(text: str, chance: random.Random) -> bytes:
    place = chance.randrange(len(text))
    return (text[:place] + chance.choice("\"'=[]\n#.:-0z\t\x7f") + text[place + 1 :]).encode()


KINDS: Final[tuple[Callable[[str, random.Random], bytes], ...]] = (
    _dropped,
    _wrong_value,
    _swapped_keys,
    _unknown_key,
    _lost_lines,
    _cut_off,
    _binary,
    _changed_sign,
    _wrong_value,
    _dropped,
)

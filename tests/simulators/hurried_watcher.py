"""The real watcher with hurried clocks: `python -m tests.simulators.hurried_watcher DATA MAIL_PORT`."""

import asyncio
import sys
from pathlib import Path

from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings, Safety
from nightbell.app.settings import load
from nightbell.app.watcher import run_watcher
from nightbell.watch.timings import Timings

HURRIED = Timings(
    tick_ms=100,
    round_every_ms=500,
    gap_ms=1_500,
    ring_within_ms=3_000,
    retry_every_ms=300,
    request_within_ms=3_000,
    heartbeat_every_ms=1_000,
    heartbeat_overdue_ms=4_000,
    two_after_ms=2_000,
    one_after_ms=8_000,
    everyone_after_ms=3_000,
    heartbeats_needed=2,
    roster_every_ms=500,
    page_every_ms=300,
)


async def main(data: Path, mail_port: int) -> None:
    mail = EmailChannel(
        EmailSettings(host="127.0.0.1", port=mail_port, sender="bell@example.org", safety=Safety.NONE)
    )
    settings = load(data, {}, chosen={"watcher_listen": "127.0.0.1:0"})
    await run_watcher(data, settings, mail=mail, timings=HURRIED)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))

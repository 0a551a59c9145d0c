"""Letters through the mail server of the tests, in a process of its own: over TLS, signed in, as in life.

`python -m benchmarks.letters FILE` is that server: it writes its authority's certificate to FILE and prints
its port.
"""

import asyncio
import ssl
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import Bar, Counts, figure
from benchmarks.processes import BUILD, telling_its_port
from benchmarks.size import Measured, Say, Size
from nightbell.adapters.channels.email.channel import EmailChannel
from nightbell.adapters.channels.email.settings import EmailSettings
from nightbell.tell.message import Message
from nightbell.tell.outcome import Sent

LETTERS: Final = 1_000
AT_ONCE: Final = 16
"""As many as `deliver` hands to one channel at the same time."""

PER_S_MIN: Final = 200.0
_PASSWORD: Final = "for the benchmark"  # noqa: S105 of a server that lives for seconds
_MADE_MS: Final = 1_795_312_800_000


def letters(size: Size, say: Say) -> Measured:
    """How many letters a second the shipped channel hands over, and the processor time of each."""
    ca_file = BUILD / "bench-letters.pem"
    ca_file.parent.mkdir(exist_ok=True)
    rates, costs, taken = [], [], 0
    with telling_its_port([sys.executable, "-m", "benchmarks.letters", str(ca_file)]) as (_, port):
        for _ in range(size.rounds):
            rate, cpu_ms, sent = asyncio.run(_round(port, ca_file))
            rates.append(rate)
            costs.append(cpu_ms)
            taken += sent
    say(f"letters: {', '.join(f'{rate:,.0f}/s' for rate in rates)}")
    note = f"{LETTERS:,} a round, {AT_ONCE} at once, STARTTLS and sign-in"
    return Measured(
        [
            figure("tell.smtp_per_s", rates, "1/s", bar=Bar(at_least=PER_S_MIN), note=note),
            figure("tell.smtp_cpu_ms", costs, "ms", note="processor time of a letter, without the server's"),
        ],
        [Counts("letters", {"taken": (taken, size.rounds * LETTERS)})],
    )


async def _round(port: int, ca_file: Path) -> tuple[float, float, int]:
    """Letters a second, processor ms of each, and how many were taken."""
    channel = EmailChannel(
        EmailSettings(
            host="localhost",
            port=port,
            sender="bell@nightbell.test",
            user="bell",
            password=_PASSWORD,
            ca_file=str(ca_file),
        )
    )
    slots = asyncio.Semaphore(AT_ONCE)

    async def send(number: int) -> bool:
        text = "Ana is VERY LOW.\n\nCheck Ana now.\n" * 4
        message = Message(f"{number:032x}", "ben", "Ana is VERY LOW: 52", text, urgent=True, made_ms=_MADE_MS)
        async with slots:
            outcome = await channel.send(message, "ben@example.test", idempotency_key=f"{message.id}.email")
        return isinstance(outcome, Sent)

    began, cpu_began = time.perf_counter(), time.process_time()
    sent = sum(await asyncio.gather(*(send(number) for number in range(LETTERS))))
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    await channel.close()
    return LETTERS / took_s, cpu_s * 1_000 / LETTERS, sent


async def _serve(ca_file: Path) -> None:
    import trustme  # noqa: PLC0415 both are part of the tests

    from tests.simulators.mail_server import MailServer  # noqa: PLC0415 the server is part of the tests

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    server = MailServer(tls=context, password=_PASSWORD, reports=True)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))

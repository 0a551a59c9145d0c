"""The line before a store's thread is bounded: a storm of questions is told to come again."""

import asyncio
import threading
from pathlib import Path

from nightbell.adapters.stores.sqlite import accounts, ledger
from nightbell.adapters.stores.sqlite.accounts import AccountsFile
from nightbell.adapters.stores.sqlite.ledger import SqliteLedger
from nightbell.words.errors import ErrorCode, PlatformError

NOW_MS = 1_795_312_800_000


def refusals(answers: list[object]) -> int:
    return sum(isinstance(one, PlatformError) and one.code is ErrorCode.OVERLOADED for one in answers)


async def test_a_storm_of_questions_to_a_store_is_refused_beyond_its_line(tmp_path: Path) -> None:
    file, book = AccountsFile(tmp_path / "accounts.sqlite"), SqliteLedger(tmp_path / "ledger.sqlite")
    await file.start()
    await book.open(NOW_MS)
    go = threading.Event()
    held = [
        asyncio.ensure_future(file.write(lambda _: go.wait(30))),
        asyncio.ensure_future(book._in(book._read_thread, lambda: go.wait(30))),
    ]
    await asyncio.sleep(0)

    asked = [asyncio.ensure_future(file.read(lambda _: None)) for _ in range(accounts.INSIDE_MAX + 50)]
    looked = [asyncio.ensure_future(book.alarm("none")) for _ in range(ledger.INSIDE_MAX + 50)]
    await asyncio.sleep(0.01)
    go.set()

    assert refusals(await asyncio.gather(*asked, return_exceptions=True)) == 51
    assert refusals(await asyncio.gather(*looked, return_exceptions=True)) == 51
    await asyncio.gather(*held)
    assert await book.alarm("none") is None  # afterwards it serves again
    await book.close()
    await file.close()

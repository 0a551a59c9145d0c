"""What every test may ask for: the cast, in services that live in memory."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.household import Cast, FactsKept, House, assemble, memory_stores

settings.register_profile("ours", deadline=None)  # a slow machine fails no test
settings.load_profile("ours")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An empty, started house in memory."""
    made = House(memory_stores(), FactsKept())
    await made.start()
    yield made
    made.accounts.close()


@pytest.fixture
async def cast(house: House) -> Cast:
    """Ana, Ben, Cleo and Dan."""
    return await assemble(house)

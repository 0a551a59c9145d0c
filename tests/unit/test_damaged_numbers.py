"""Accounts that SQLite can read and that are damaged all the same: refused with what to do, not taken."""

import numpy as np
import pytest

from nightbell.app.wiring import taking_over_accounts
from nightbell.words.errors import CallerError, PlatformError
from nightbell.words.table import SPARE_NUMBERS, check_numbers


@pytest.mark.parametrize("numbers", [[], [0], [3, 1, 2], [SPARE_NUMBERS]])
def test_numbers_that_may_have_been_given_out_are_taken(numbers: list[int]) -> None:
    check_numbers(np.array(numbers, np.int64))


@pytest.mark.parametrize("numbers", [[-1, 2], [1, SPARE_NUMBERS * 2], [2**31 - 1]])
def test_numbers_that_were_never_given_out_are_damage(numbers: list[int]) -> None:
    with pytest.raises(ValueError, match="never given out"):
        check_numbers(np.array(numbers, np.int64))


@pytest.mark.parametrize("error", [IndexError(), ValueError(), OverflowError(), MemoryError(), TypeError()])
def test_accounts_that_do_not_fit_together_stop_the_start_and_say_what_to_do(error: Exception) -> None:
    with pytest.raises(PlatformError, match="Put it back from your copy"), taking_over_accounts():
        raise error


def test_what_is_no_damage_passes() -> None:
    with pytest.raises(CallerError), taking_over_accounts():
        raise CallerError("not_found", "There is nothing here.")  # type: ignore[arg-type] # any code

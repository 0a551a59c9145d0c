"""Names are compared in one spelling, however often they are brought to it."""

from hypothesis import example, given
from hypothesis import strategies as st

from nightbell.account.person import folded


@given(st.text(max_size=40))
@example("a\ufc5eb")
@example("\u1e9e")
@example("ANA")
def test_a_folded_name_stays_as_it_is(name: str) -> None:
    assert folded(folded(name)) == folded(name)


def test_ana_is_one_person_whatever_the_case_and_the_blanks() -> None:
    assert len({folded(name) for name in ("Ana", "ANA", " ana ", "\uff21na")}) == 1

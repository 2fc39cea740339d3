"""Our figures equal those of scikit-uplift and causalml."""

from dataclasses import asdict

import numpy as np
import pytest

from experiments.uplift.curves import equivalents, qini_raw
from tests.experiments.uplift.oracles import (
    NAMES,
    Case,
    case,
    causalml_figures,
    frozen,
    sklift_figures,
    without_ties,
)


def both(one: Case) -> dict[str, float | None]:
    """Return our figures: scikit-uplift's with the ties, causalml's with ties told apart as in its frozen figures."""
    tied = asdict(equivalents(one.ranking, one.treated, one.outcome))
    apart = without_ties(one)
    other = asdict(equivalents(apart.ranking, apart.treated, apart.outcome))
    return {name: (other if name.startswith("causalml") else tied)[name] for name in tied}


@pytest.mark.parametrize("name", NAMES)
def test_the_frozen_figures_of_both_libraries_are_met(name: str) -> None:
    """With ties, unequal arms, money, harmful treatments and lists that begin with one arm only, to 1e-5 and closer."""
    one = case(name)
    found = both(one)
    expected = frozen()[name]
    assert len(expected) >= (6 if one.binary else 4)
    for figure, value in expected.items():
        assert found[figure] == pytest.approx(value, abs=1e-7, rel=1e-7), figure
    for figure in found.keys() - expected.keys():
        assert found[figure] is None


@pytest.mark.parametrize(
    ("library", "name"),
    [("causalml", name) for name in NAMES] + [("sklift", name) for name in NAMES if name != "money"],
)
def test_the_libraries_themselves_are_met(library: str, name: str) -> None:
    """Where they can be imported, the libraries say today what the frozen figures say."""
    pytest.importorskip(library, reason=f"{library} is not installed; the frozen figures stand for it")
    one = case(name)
    said = {"causalml": causalml_figures, "sklift": sklift_figures}[library](one)
    found = asdict(equivalents(one.ranking, one.treated, one.outcome))
    assert {figure: found[figure] for figure in said} == pytest.approx(said, abs=1e-7, rel=1e-7)


def test_one_ranking_has_many_qinis() -> None:
    """Without ties the raw Qini is causalml's per treated member, but for its sum where we take trapezoids."""
    one = case("hillstrom formula")
    raw = qini_raw(one.ranking, one.treated, one.outcome)
    theirs = equivalents(one.ranking, one.treated, one.outcome)
    assert theirs.causalml_qini_counts / one.treated.sum() == pytest.approx(raw, abs=1e-5)
    effect = one.outcome[one.treated].mean() - one.outcome[~one.treated].mean()
    assert theirs.causalml_qini == pytest.approx(raw / effect, abs=2e-4)


def test_money_has_no_figure_of_a_library_that_knows_binary_outcomes_only() -> None:
    """scikit-uplift refuses money, so there is nothing to compare with; a perfect order needs an effect above zero."""
    money = case("money")
    found = equivalents(money.ranking, money.treated, money.outcome)
    assert found.sklift_qini is None
    assert found.sklift_uplift is None
    harmful = case("harmful")
    assert equivalents(harmful.ranking, harmful.treated, harmful.outcome).sklift_qini_without_negative is None


def test_nothing_is_divided_by_zero() -> None:
    """Where nobody has an outcome, ratios to the whole effect do not exist."""
    treated = np.array([True, False, True, False])
    found = equivalents(np.arange(4.0), treated, np.zeros(4))
    assert found.causalml_qini is None
    assert found.sklift_qini is None
    assert found.causalml_auuc_counts == 0

"""Park's table 1 as the phantom draws from it."""

import numpy as np
import pytest

from idhray.phantom.mri.frequencies import (
    AGES,
    COUNTS,
    age_at,
    frequencies,
    necrosis_frequency,
)
from idhray.stats.papers.park.features import BY_NAME


def test_levels_are_those_of_the_statistics():
    """Readings of a phantom go into the tables of Park's study; a level by another name is lost."""
    assert {name: set(levels) for name, levels in COUNTS.items()} == {
        name: set(feature.levels) for name, feature in BY_NAME.items()
    }


def test_counts_are_copied_right():
    """80 wildtype and 38 mutant patients by every feature."""
    totals = [tuple(map(sum, zip(*levels.values(), strict=True))) for levels in COUNTS.values()]

    assert totals == [(80, 38)] * len(COUNTS)


@pytest.mark.parametrize(
    ("feature", "idh", "effect", "level", "share"),
    [
        pytest.param("margin", "mutant", 1, "clear", 20 / 38, id="the table"),
        pytest.param("margin", "mutant", 0, "clear", 24 / 118, id="everyone"),
        pytest.param("margin", "wildtype", 0, "clear", 24 / 118, id="everyone, the other class"),
        pytest.param("margin", "wildtype", 3, "clear", 0.0, id="beyond what is possible: none"),
        pytest.param("location", "wildtype", 1, "other", 42 / 80, id="three levels"),
    ],
)
def test_effect_scales_the_class_difference(feature, idh, effect, level, share):
    """0: no difference, 1: Park's, more: cut at 0."""
    shares = frequencies(feature, idh, effect)

    assert shares[level] == pytest.approx(share)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("effect", [0, 1])
@pytest.mark.parametrize("idh", ["wildtype", "mutant"])
def test_necrosis_given_the_rim_keeps_the_total(idh, effect):
    """A rim encloses necrosis by definition; over all patients necrosis is as in the table."""
    rim = frequencies("enhancement", idh, effect)["rim"]
    total = rim * necrosis_frequency(idh, effect, rim=True) + (1 - rim) * necrosis_frequency(
        idh, effect, rim=False
    )

    assert necrosis_frequency(idh, effect, rim=True) == 1
    assert total == pytest.approx(frequencies("necrosis", idh, effect)["yes"])


@pytest.mark.parametrize("idh", ["wildtype", "mutant"])
def test_ages_have_parks_quartiles(idh):
    """60 [53-64] and 47 [38-53] years: medians and quartiles are not symmetric there."""
    deviates = np.random.default_rng(0).standard_normal(40_000)
    ages = [age_at(idh, d, 1) for d in deviates]

    assert np.quantile(ages, [0.25, 0.5, 0.75]) == pytest.approx(AGES[idh], abs=0.3)
    assert age_at("wildtype", 0.5, 0) == age_at("mutant", 0.5, 0)

"""The made-up patients follow Liu's tables, and depend on nothing else."""

import numpy as np
import pytest

from idhray.errors import ConfigError
from idhray.phantom.patients import (
    AGES,
    MAX_SIDE_PX,
    PRESETS,
    TUMORS,
    PhantomSettings,
    phantom_patients,
)

LIU = PRESETS["liu2020"]


def of(patients, **wanted):
    """The patients whose fields have these values."""
    return [p for p in patients if all(getattr(p, k) == v for k, v in wanted.items())]


@pytest.mark.parametrize(("count", "fraction"), [(266, 136 / 266), (40, 0.5), (7, 0.0), (3, 1.0)])
def test_class_counts_are_exact(count, fraction):
    """A study's power depends on the class counts, so chance has no part in them."""
    patients = phantom_patients(count, PhantomSettings(mutant_fraction=fraction), seed=3)

    assert len(of(patients, idh="mutant")) == round(fraction * count)
    assert len({p.patient for p in patients}) == count


def test_the_classes_are_mixed_in_order():
    """Whoever takes the first half of the patients must not take one class."""
    first = phantom_patients(200, PhantomSettings(mutant_fraction=0.5), seed=0)[:100]

    assert 35 <= len(of(first, idh="mutant")) <= 65


def test_a_patient_is_the_same_in_a_larger_cohort():
    """Only the class is allotted over the cohort; with one class, rows agree whatever N."""
    settings = PhantomSettings(mutant_fraction=1.0)

    assert phantom_patients(5, settings, seed=1) == phantom_patients(50, settings, seed=1)[:5]


def test_the_seed_decides():
    """Same seed, same cohort; another seed, another one."""
    assert phantom_patients(20, LIU, seed=1) == phantom_patients(20, LIU, seed=1)
    assert phantom_patients(20, LIU, seed=1) != phantom_patients(20, LIU, seed=2)


@pytest.mark.parametrize("idh", ["wildtype", "mutant"])
@pytest.mark.parametrize("cohort", ["phantom-TCGA", "phantom-local"])
def test_ages_match_liu_2020(cohort, idh):
    """Mean and SD of tables 5 and 6, but for what the cut at 18 and 90 years takes away."""
    patients = phantom_patients(8000, LIU, seed=5)
    ages = [p.age for p in of(patients, cohort=cohort, idh=idh)]

    assert np.mean(ages) == pytest.approx(AGES[cohort, idh][0], abs=1.5)
    assert np.std(ages) == pytest.approx(AGES[cohort, idh][1], abs=1.5)
    assert 18 <= min(ages) <= max(ages) <= 90


def test_tumors_match_liu_2020():
    """Seventy of a hundred wildtype patients of table 5 have a glioblastoma."""
    patients = of(phantom_patients(4000, LIU, seed=6), cohort="phantom-TCGA", idh="wildtype")
    glioblastoma = of(patients, diagnosis="Glioblastoma, IDH-wildtype", grade=4)

    assert len(glioblastoma) / len(patients) == pytest.approx(0.70, abs=0.04)


def test_tumors_are_copied_right():
    """The rows of tables 5 and 6 add up to their totals."""
    totals = {who: sum(count for count, *_ in rows) for who, rows in TUMORS.items()}

    assert list(totals.values()) == [100, 100, 30, 36]


def test_without_age_effect_the_class_changes_no_age():
    """age_effect 0: both classes draw from all patients' distribution, with the same draws."""
    ages = [
        [p.age for p in phantom_patients(30, settings, seed=2)]
        for settings in (
            PhantomSettings(age_effect=0, mutant_fraction=0.0),
            PhantomSettings(age_effect=0, mutant_fraction=1.0),
        )
    ]

    assert ages[0] == ages[1]


def test_ages_differ_even_without_an_image_effect():
    """effect concerns images only."""
    patients = phantom_patients(2000, PhantomSettings(effect=0), seed=4)
    wild, mutant = (np.mean([p.age for p in of(patients, idh=c)]) for c in ("wildtype", "mutant"))

    assert wild - mutant > 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"effect": -0.1},
        {"effect": float("nan")},
        {"age_effect": 5},
        {"mutant_fraction": 1.1},
        {"pen_fraction": -1},
        {"objective_power": 10},
        {"width_px": 100},
        {"height_px": MAX_SIDE_PX + 1},
        {"slides_per_patient": 0},
        {"jpeg_quality": 0},
    ],
)
def test_nonsense_is_refused(wrong):
    """A wrong setting is named before any slide is drawn."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PhantomSettings(**wrong)


def test_no_patients_is_refused():
    """An empty cohort would fail much later, in training."""
    with pytest.raises(ConfigError, match="patients must be 1 or more"):
        phantom_patients(0, LIU, seed=0)

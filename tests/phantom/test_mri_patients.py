"""The made-up MRI patients follow their settings, and depend on nothing else."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from idhray.errors import ConfigError
from idhray.phantom.mri.frequencies import COUNTS, FEATURES, frequencies
from idhray.phantom.mri.patients import NORMAL, PRESETS, MriPhantomSettings, mri_patients

MANY = MriPhantomSettings(tumours=3000, mutant_fraction=0.5, normals=0)


@cache
def many_patients(effect):
    """Patients of an effect, made once for all features."""
    return mri_patients(replace(MANY, effect=effect), seed=2)


def features(patient):
    return [getattr(patient, name) for name in FEATURES]


def test_class_counts_are_exact_and_mixed():
    """A study's power depends on the counts, and its first half must not be one class."""
    patients = mri_patients(PRESETS["park2021"], seed=1)
    readers = [p.idh for p in patients if p.grade == 4]

    assert Counter(p.idh for p in patients) == {"wildtype": 113, "mutant": 49 + 61, NORMAL: 500}
    assert len(readers) == 162
    assert 10 < readers[:81].count("mutant") < 39
    assert len({p.patient for p in patients}) == len(patients)


@pytest.mark.parametrize("effect", [0.0, 1.0])
@pytest.mark.parametrize("feature", FEATURES)
def test_features_are_as_frequent_as_the_settings_say(feature, effect):
    """1500 patients of each class; four standard errors."""
    patients = many_patients(effect)
    for idh in ("wildtype", "mutant"):
        own = [p for p in patients if p.idh == idh]
        for level, share in frequencies(feature, idh, effect).items():
            found = sum(getattr(p, feature) == level for p in own) / len(own)

            assert found == pytest.approx(share, abs=0.05), (idh, level)


def test_a_rim_has_necrosis():
    """Park: rim enhancement surrounding central necrosis."""
    rims = [p for p in mri_patients(MANY, seed=3) if p.enhancement == "rim"]

    assert {p.necrosis for p in rims} == {"yes"}


def test_without_effect_the_class_changes_no_feature():
    """effect 0: not only the same frequencies, but the same draws."""
    settings = replace(MANY, tumours=50, effect=0, age_effect=0)
    classes = [
        mri_patients(replace(settings, mutant_fraction=fraction), seed=4) for fraction in (0, 1)
    ]

    assert [features(p) for p in classes[0]] == [features(p) for p in classes[1]]
    assert [p.age for p in classes[0]] == [p.age for p in classes[1]]


def test_a_patient_is_the_same_in_a_larger_cohort():
    """But for its class, which is allotted over the cohort."""
    small, large = (
        mri_patients(MriPhantomSettings(tumours=n, mutant_fraction=1, normals=3), seed=5)
        for n in (5, 50)
    )

    assert small[:5] == large[:5]
    assert small[5:] == large[50:]


def test_a_normal_brain_has_no_feature():
    """Its cells in the truth are empty, and it has no side."""
    patient = mri_patients(MriPhantomSettings(tumours=0, normals=1), seed=6)[0]

    assert (patient.idh, patient.has_tumor, patient.side) == (NORMAL, False, "")
    assert features(patient) == [""] * len(COUNTS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tumours": -1},
        {"mutant_fraction": 1.1},
        {"effect": float("nan")},
        {"age_effect": 3},
        {"t1ce_mm": 0.1},
        {"flair_mm": 9},
        {"flair_slice_mm": 0},
        {"motion_mm": 90},
        {"motion_degrees": -1},
        {"noise": 1},
    ],
)
def test_nonsense_is_refused(wrong):
    """A wrong setting is named before any volume is made."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        MriPhantomSettings(**wrong)


def test_a_cohort_of_nobody_is_refused():
    """It would fail much later, at the split."""
    with pytest.raises(ConfigError, match="all 0"):
        MriPhantomSettings(tumours=0, grade3_mutants=0, normals=0)

"""Where wildtype and mutant tissue differ, and where they must not."""

from dataclasses import replace

import numpy as np
import pytest

from idhray.phantom.appearance import appearance
from idhray.phantom.patients import PhantomSettings, phantom_patients

DIFFERING = (
    "density_per_mm2",
    "pleomorphism",
    "necrosis_fraction",
    "proliferating_vessels_per_mm2",
)
SAME = ("stain_mix", "hematoxylin", "eosin", "white")


def looks(settings, idh, count=300):
    """The appearance of the same patients, all made to be of class `idh`."""
    patients = phantom_patients(count, settings, seed=0)
    return [appearance(replace(p, idh=idh), settings, seed=0) for p in patients]


def test_without_effect_the_class_changes_nothing():
    """The null case of every study: with the same draws, the parameters are EQUAL."""
    settings = PhantomSettings(effect=0)

    assert looks(settings, "wildtype") == looks(settings, "mutant")


@pytest.mark.parametrize("name", DIFFERING)
def test_wildtype_is_higher_but_overlaps(name):
    """No single parameter separates the classes, or a study would be too easy to be one."""
    settings = PhantomSettings(effect=1)
    wild, mutant = (
        np.array([getattr(look, name) for look in looks(settings, c)])
        for c in ("wildtype", "mutant")
    )
    auc = np.mean(wild[:, None] > mutant[None, :])

    assert 0.75 < auc < 0.97


@pytest.mark.parametrize("name", SAME)
def test_stain_says_nothing_of_the_class(name):
    """A classifier that learned color would look right on the phantom and fail on slides."""
    settings = PhantomSettings(effect=1)

    assert [getattr(look, name) for look in looks(settings, "wildtype", 20)] == [
        getattr(look, name) for look in looks(settings, "mutant", 20)
    ]


def test_patients_differ():
    """Each patient has parameters of their own."""
    assert len({look.density_per_mm2 for look in looks(PhantomSettings(), "mutant", 20)}) == 20

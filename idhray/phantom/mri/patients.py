"""Phantom patients of an MRI cohort, drawn from the table of Park et al. 2021."""

from dataclasses import dataclass

import numpy as np

from idhray.chance import generator
from idhray.errors import ConfigError
from idhray.phantom.mri.frequencies import (
    MALES,
    NORMAL_AGE,
    age_at,
    frequencies,
    necrosis_frequency,
)
from idhray.phantom.patients import AGE_RANGE, ASTRO, GBM_WT, Patient

NORMAL = "normal"


@dataclass(frozen=True, kw_only=True)
class MriPhantomSettings:
    """Settings of one phantom MRI cohort."""

    tumours: int = 40
    """Number of patients with a tumor of grade 4, whom readers see."""
    mutant_fraction: float = 0.5
    """Mutant fraction of `tumours`."""
    grade3_mutants: int = 0
    """Number of further patients with a mutant tumor of grade 3, to train a GAN; not for the
    readers."""
    normals: int = 20
    """Number of patients with a normal brain, to pre-train a GAN."""
    effect: float = 1.0
    """Difference between the classes' features; 1: Park's table 1, 0: alike."""
    age_effect: float = 1.0
    """Difference between the classes' ages; 1: Park's ages, 0: alike."""
    skull: bool = True
    """Make whole heads; otherwise brains only, as after brain extraction."""
    t1ce_mm: float = 2.0
    """Voxel side of the CE-T1w volume, and of the grid on which the head is made."""
    flair_mm: float = 2.0
    """Voxel side of the FLAIR within its slices."""
    flair_slice_mm: float = 4.5
    """Thickness and distance of the FLAIR slices."""
    motion_mm: float = 4.0
    """Largest shift of the brain's center between the two scans, not in the headers."""
    motion_degrees: float = 4.0
    """Largest rotation between the two scans, not in the headers."""
    noise: float = 0.025
    """SD of the Rician noise, relative to the brightness of white matter."""

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ConfigError: The message names the field, its value and the allowed values.
        """
        limits = {
            "tumours": (0, 100_000),
            "grade3_mutants": (0, 100_000),
            "normals": (0, 100_000),
            "mutant_fraction": (0, 1),
            "effect": (0, 3),
            "age_effect": (0, 2),
            "t1ce_mm": (0.7, 4),
            "flair_mm": (0.7, 4),
            "flair_slice_mm": (0.7, 8),
            "motion_mm": (0, 15),
            "motion_degrees": (0, 15),
            "noise": (0, 0.2),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name} must be {low} to {high}, got {getattr(self, name)}")
        if self.tumours + self.grade3_mutants + self.normals < 1:
            raise ConfigError(
                "tumours, grade3_mutants and normals are all 0: one must be 1 or more"
            )


PRESETS = {
    # Source: Park et al. 2021, Methods: 162 patients, 49 of them mutant; 110 mutants of grades 3
    # and 4 train the GAN (49 of grade 4), 500 normal brains pre-train it; CE-T1w of 1 mm, FLAIR of
    # 4 mm and 240 mm over 512 px, here over 256.
    "park2021": MriPhantomSettings(
        tumours=162,
        mutant_fraction=49 / 162,
        grade3_mutants=61,
        normals=500,
        t1ce_mm=1.0,
        flair_mm=0.94,
        flair_slice_mm=4.0,
    ),
    "demo": MriPhantomSettings(tumours=72, skull=False),
}


@dataclass(frozen=True, kw_only=True)
class MriPatient(Patient):
    """One phantom patient and the truth about the tumor; the features are "" in a normal brain.

    `idh` is wildtype, mutant or normal. In a manifest normal becomes empty, as it is no IDH status.
    """

    location: str
    enhancement: str
    necrosis: str
    surrounding: str
    margin: str
    side: str
    """Side of the tumor from the patient's view, left or right."""

    @property
    def has_tumor(self) -> bool:
        """True unless the brain is normal."""
        return self.idh != NORMAL


def mri_patients(settings: MriPhantomSettings, seed: int) -> list[MriPatient]:
    """All phantom patients: first those of grade 4, then grade 3, then the normal brains.

    Exactly round(mutant_fraction * tumours) of grade 4 are mutant, in a seeded order. Apart from
    the class, a patient's row does not depend on the counts.
    """
    mutants = round(settings.mutant_fraction * settings.tumours)
    order = generator(seed, "mri classes", settings.tumours).permutation(settings.tumours)
    classes = ["mutant" if place < mutants else "wildtype" for place in order]
    return [
        *(
            _patient("M4", i, idh, grade=4, settings=settings, seed=seed)
            for i, idh in enumerate(classes)
        ),
        *(
            _patient("M3", i, "mutant", grade=3, settings=settings, seed=seed)
            for i in range(settings.grade3_mutants)
        ),
        *(
            _patient("N0", i, NORMAL, grade=0, settings=settings, seed=seed)
            for i in range(settings.normals)
        ),
    ]


def _patient(
    group: str, index: int, idh: str, *, grade: int, settings: MriPhantomSettings, seed: int
) -> MriPatient:
    name = f"PH-{group}-{index + 1:04d}"
    random = generator(seed, "mri patient", name)
    features = _features(random, idh, settings.effect)
    diagnosis = {"wildtype": GBM_WT, "mutant": ASTRO, NORMAL: ""}
    return MriPatient(
        patient=name,
        idh=idh,
        sex="male" if random.random() < MALES[idh] else "female",
        side="" if idh == NORMAL else ("left", "right")[int(random.integers(2))],
        site=f"PH-{random.integers(1, 16):02d}",
        age=_age(random, idh, settings.age_effect),
        grade=grade,
        diagnosis=diagnosis[idh],
        cohort="phantom-MRI",
        **features,
    )


def _features(random: np.random.Generator, idh: str, effect: float) -> dict[str, str]:
    """Features of a patient, each from one uniform number, so that effect 0 makes classes alike."""
    drawn = {
        name: float(random.random())
        for name in ("location", "enhancement", "necrosis", "surrounding", "margin")
    }
    if idh == NORMAL:
        return dict.fromkeys(drawn, "")
    features = {
        name: _level(frequencies(name, idh, effect), u)
        for name, u in drawn.items()
        if name != "necrosis"
    }
    share = necrosis_frequency(idh, effect, rim=features["enhancement"] == "rim")
    return {**features, "necrosis": "yes" if drawn["necrosis"] < share else "no"}


def _level(shares: dict[str, float], uniform: float) -> str:
    place = int(np.searchsorted(np.cumsum(list(shares.values())), uniform, side="right"))
    return list(shares)[min(place, len(shares) - 1)]


def _age(random: np.random.Generator, idh: str, age_effect: float) -> int:
    """Age in whole years, redrawn until inside AGE_RANGE."""
    while True:
        deviate = float(random.standard_normal())
        if idh == NORMAL:
            age = round(NORMAL_AGE[0] + NORMAL_AGE[1] * deviate)
        else:
            age = round(age_at(idh, deviate, age_effect))
        if AGE_RANGE[0] <= age <= AGE_RANGE[1]:
            return age

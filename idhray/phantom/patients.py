"""Phantom patients, drawn from the tables of Liu et al. 2020, and the phantom's settings."""

from dataclasses import dataclass

import numpy as np

from idhray.chance import generator
from idhray.errors import ConfigError

MAX_SIDE_PX = 40_000
"""Memory grows with the area: 20,000 x 20,000 px took 0.8 GB, so this size may take 2 to 3 GB."""
MIN_SIDE_PX = 512
LIU_MUTANT_FRACTION = 136 / 266


@dataclass(frozen=True, kw_only=True)
class PhantomSettings:
    """Settings of one phantom cohort of slides."""

    effect: float = 1.0
    """Difference between the TISSUE of wildtype and mutant; 0: the same distribution of images."""
    age_effect: float = 1.0
    """Difference between their AGES; 1: as in Liu's tables, 0: both as all patients there."""
    mutant_fraction: float = LIU_MUTANT_FRACTION
    slides_per_patient: int = 1
    width_px: int = 4096
    """Width of level 0."""
    height_px: int = 3072
    """Height of level 0."""
    objective_power: int = 20
    """Objective power, 20 (0.5 um per level-0 pixel) or 40 (0.25)."""
    pen_fraction: float = 0.25
    """Share of slides with pen marks."""
    fold_fraction: float = 0.25
    """Share of slides with a fold."""
    jpeg_quality: int = 75
    hematoxylin: float = 1.0
    """Strength of the laboratory's hematoxylin; 1 is that of the other cohorts."""
    eosin: float = 1.0
    """Strength of its eosin."""
    first_patient: int = 1
    """Number in the name of the first patient, so that two cohorts share no name."""

    def __post_init__(self) -> None:
        if not 0 <= self.effect <= 3:
            raise ConfigError(f"effect must be 0 to 3, got {self.effect}")
        if not 0 <= self.age_effect <= 2:
            raise ConfigError(f"age_effect must be 0 to 2, got {self.age_effect}")
        for name in ("mutant_fraction", "pen_fraction", "fold_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in ("width_px", "height_px"):
            if not MIN_SIDE_PX <= getattr(self, name) <= MAX_SIDE_PX:
                raise ConfigError(
                    f"{name} must be {MIN_SIDE_PX} to {MAX_SIDE_PX}, got {getattr(self, name)}"
                )
        if self.objective_power not in (20, 40):
            raise ConfigError(f"objective_power must be 20 or 40, got {self.objective_power}")
        if self.slides_per_patient < 1:
            raise ConfigError(
                f"slides_per_patient must be 1 or more, got {self.slides_per_patient}"
            )
        for name in ("hematoxylin", "eosin"):
            if not 0.3 <= getattr(self, name) <= 2:
                raise ConfigError(f"{name} must be 0.3 to 2, got {getattr(self, name)}")
        if self.first_patient < 1:
            raise ConfigError(f"first_patient must be 1 or more, got {self.first_patient}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError(f"jpeg_quality must be 1 to 100, got {self.jpeg_quality}")

    @property
    def mpp(self) -> float:
        """Micrometers per level-0 pixel."""
        return 10 / self.objective_power


PRESETS = {
    # A slide of this size yields about Liu's median of 17 tiles of 1024 px at 10x.
    "liu2020": PhantomSettings(width_px=12_288, height_px=10_240),
    "demo": PhantomSettings(),
}


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One phantom patient; the fields are columns of the manifest."""

    patient: str
    idh: str
    age: int
    sex: str
    grade: int
    diagnosis: str
    cohort: str
    site: str


GBM_WT = "Glioblastoma, IDH-wildtype"
NEC_WT = "Diffuse glioma, IDH-wildtype, NEC"  # CNS5 has no "astrocytoma, IDH-wildtype"
MIDLINE = "Diffuse midline glioma, H3 K27-altered"
ASTRO = "Astrocytoma, IDH-mutant"
OLIGO = "Oligodendroglioma, IDH-mutant and 1p/19q-codeleted"

AGES = {
    ("phantom-TCGA", "wildtype"): (55.5, 13.3),
    ("phantom-TCGA", "mutant"): (44.2, 12.7),
    ("phantom-TCGA", "all"): (49.9, 14.1),
    ("phantom-local", "wildtype"): (53.3, 14.7),
    ("phantom-local", "mutant"): (45.9, 9.0),
    ("phantom-local", "all"): (49.3, 12.4),
}
"""Mean and SD in years. Source: Liu et al. 2020, tables 5 (TCGA) and 6 (local hospital)."""

AGE_RANGE = (18, 90)

MALES = {
    ("phantom-TCGA", "wildtype"): 58 / 100,
    ("phantom-TCGA", "mutant"): 59 / 100,
    ("phantom-local", "wildtype"): 14 / 30,
    ("phantom-local", "mutant"): 11 / 36,
}
"""Source: Liu et al. 2020, tables 5 and 6."""

TUMORS = {
    ("phantom-TCGA", "wildtype"): [(70, GBM_WT, 4), (4, NEC_WT, 2), (26, NEC_WT, 3)],
    ("phantom-TCGA", "mutant"): [
        (30, ASTRO, 4),
        (14, ASTRO, 2),
        (16, ASTRO, 3),
        (29, OLIGO, 2),
        (11, OLIGO, 3),
    ],
    ("phantom-local", "wildtype"): [
        (21, GBM_WT, 4),
        (4, NEC_WT, 2),
        (4, NEC_WT, 3),
        (1, MIDLINE, 4),
    ],
    ("phantom-local", "mutant"): [(10, ASTRO, 4), (3, ASTRO, 2), (7, OLIGO, 2), (16, OLIGO, 3)],
}
"""Patients, WHO CNS5 diagnosis, grade. Source: Liu et al. 2020, tables 5 and 6, renamed."""

TCGA_SHARE = 200 / 266


def phantom_patients(count: int, settings: PhantomSettings, seed: int) -> list[Patient]:
    """First `count` phantom patients.

    Exactly round(mutant_fraction * count) are mutant, in a seeded order. Apart from the class, a
    patient's row does not depend on `count`. Cohort and site have the same distribution in both
    classes.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"patients must be 1 or more, got {count}")
    mutants = round(settings.mutant_fraction * count)
    order = generator(seed, "classes", count).permutation(count)
    return [
        _patient(i, "mutant" if order[i] < mutants else "wildtype", settings, seed)
        for i in range(count)
    ]


def _patient(index: int, idh: str, settings: PhantomSettings, seed: int) -> Patient:
    random = generator(seed, "patient", index)
    cohort = "phantom-TCGA" if random.random() < TCGA_SHARE else "phantom-local"
    male = random.random() < MALES[cohort, idh]
    counts, diagnoses, grades = zip(*TUMORS[cohort, idh], strict=True)
    tumor = int(np.searchsorted(np.cumsum(counts) / sum(counts), random.random(), side="right"))
    site = f"PH-{random.integers(1, 16):02d}" if cohort == "phantom-TCGA" else "PH-local"
    return Patient(
        patient=f"PH-{index + settings.first_patient:04d}",
        idh=idh,
        age=_age(random, cohort, idh, settings.age_effect),
        sex="male" if male else "female",
        grade=grades[tumor],
        diagnosis=diagnoses[tumor],
        cohort=cohort,
        site=site,
    )


def _age(random: np.random.Generator, cohort: str, idh: str, age_effect: float) -> int:
    """Age in whole years: normal with Liu's mean and SD, redrawn until inside AGE_RANGE."""
    mean, sd = (
        overall + age_effect * (of_class - overall)
        for overall, of_class in zip(AGES[cohort, "all"], AGES[cohort, idh], strict=True)
    )
    while True:
        age = round(mean + sd * random.standard_normal())
        if AGE_RANGE[0] <= age <= AGE_RANGE[1]:
            return age

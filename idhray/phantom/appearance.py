"""What a patient's tissue looks like: the few numbers in which wildtype and mutant differ.

Each number is a median times a patient's own deviation, pushed apart by the class: wildtype up,
mutant down, by half of `effect` times the class step each. The deviations never depend on the
class, so that at effect 0 a patient has the same tissue whichever class it was given.
"""

import math
from dataclasses import dataclass

from idhray.chance import generator
from idhray.phantom.patients import Patient, PhantomSettings


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """The true tissue parameters of one patient; the first four depend on the class."""

    density_per_mm2: float
    """Tumor nuclei in viable tissue of middling crowding."""
    pleomorphism: float
    """SD of the logarithm of the nuclear diameter; the outlines' irregularity follows it."""
    necrosis_fraction: float
    """Share of the tissue's area."""
    proliferating_vessels_per_mm2: float
    """Nests of rings of endothelial nuclei."""
    stain_mix: float
    """0: Ruifrok's stain vectors, 1: Macenko's."""
    hematoxylin: float
    """Strength of the stain, 1 is middling."""
    eosin: float
    """Strength of the stain, 1 is middling."""
    white: float
    """Gray value of the empty slide, 0 to 255."""


def appearance(patient: Patient, settings: PhantomSettings, seed: int) -> Appearance:
    """The tissue parameters of `patient`.

    The steps between the classes at effect 1 are 1.6 to 1.8 patient SDs in each number, so that
    no single one separates them. Medians and steps are ours, after the textbook picture
    (glioblastoma: denser, more pleomorphic, necrosis, microvascular proliferation).
    """
    random = generator(seed, "appearance", patient.patient)
    own = random.standard_normal(4).tolist()
    push = settings.effect * (0.5 if patient.idh == "wildtype" else -0.5)
    stain = random.uniform(size=4).tolist()
    return Appearance(
        density_per_mm2=2000 * math.exp(0.55 * push + 0.35 * own[0]),
        pleomorphism=0.19 * math.exp(0.50 * push + 0.30 * own[1]),
        necrosis_fraction=0.45 / (1 + math.exp(2.4 - 1.6 * push - 0.9 * own[2])),
        proliferating_vessels_per_mm2=4.0 * math.exp(1.1 * push + 0.6 * own[3]),
        stain_mix=0.5 + 0.5 * stain[0],
        hematoxylin=0.85 + 0.3 * stain[1],
        eosin=0.8 + 0.4 * stain[2],
        white=241 + 4 * stain[3],
    )

"""Appearance of a patient's tissue: the few parameters in which wildtype and mutant differ.

Each parameter is a median times a deviation of the patient, shifted by the class: wildtype up,
mutant down, each by half of `effect` times the class step. The deviations do not depend on the
class, so that at effect 0 a patient has the same tissue in either class.
"""

import math
from dataclasses import dataclass

from idhray.chance import generator
from idhray.phantom.patients import Patient, PhantomSettings


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """True tissue parameters of one patient; the first four depend on the class."""

    density_per_mm2: float
    """Density of tumor nuclei in viable tissue of average crowding."""
    pleomorphism: float
    """SD of the log nuclear diameter; the irregularity of outlines follows it."""
    necrosis_fraction: float
    """Necrotic share of the tissue's area."""
    proliferating_vessels_per_mm2: float
    """Density of nests of vessels, drawn as rings of endothelial nuclei."""
    stain_mix: float
    """Mix of stain vectors, 0 for Ruifrok's, 1 for Macenko's."""
    hematoxylin: float
    """Strength of the stain; 1 is average."""
    eosin: float
    """Strength of the stain; 1 is average."""
    white: float
    """Gray value of the empty slide, 0 to 255."""


def appearance(patient: Patient, settings: PhantomSettings, seed: int) -> Appearance:
    """Tissue parameters of a patient.

    At effect 1 the classes differ by 1.6 to 1.8 patient SDs in each parameter, so that no single
    parameter separates them. Medians and steps are ours, after textbooks (glioblastoma: denser,
    more pleomorphic, necrosis, microvascular proliferation).
    """
    random = generator(seed, "appearance", patient.patient)
    deviations = random.standard_normal(4).tolist()
    shift = settings.effect * (0.5 if patient.idh == "wildtype" else -0.5)
    stain = random.uniform(size=4).tolist()
    return Appearance(
        density_per_mm2=2000 * math.exp(0.55 * shift + 0.35 * deviations[0]),
        pleomorphism=0.19 * math.exp(0.50 * shift + 0.30 * deviations[1]),
        necrosis_fraction=0.45 / (1 + math.exp(2.4 - 1.6 * shift - 0.9 * deviations[2])),
        proliferating_vessels_per_mm2=4.0 * math.exp(1.1 * shift + 0.6 * deviations[3]),
        stain_mix=0.5 + 0.5 * stain[0],
        hematoxylin=settings.hematoxylin * (0.85 + 0.3 * stain[1]),
        eosin=settings.eosin * (0.8 + 0.4 * stain[2]),
        white=241 + 4 * stain[3],
    )

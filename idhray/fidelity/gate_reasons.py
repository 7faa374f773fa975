"""Reasons to fail a generator: it copies training images, or it repeats itself."""

from idhray.fidelity.copies.memorization import CopyTest
from idhray.fidelity.copies.search import Copies
from idhray.fidelity.diversity import DiversityTest
from idhray.fidelity.gate_settings import CopySettings


def copying_reasons(copies: Copies, test: CopyTest | None, settings: CopySettings) -> list[str]:
    """One sentence for each sign that the generator copies training images."""
    reasons = []
    if copies.share > settings.max_copy_share:
        reasons.append(
            f"{copies.copy.sum()} of {len(copies.copy)} generated images ({copies.share:.1%}) are "
            f"copies of training images, above {settings.max_copy_share:.1%}."
        )
    if test and test.c_t < settings.min_c_t and test.p_patients < settings.alpha:
        reasons.append(
            f"Generated images lie nearer to training images than those of held-out patients do: "
            f"C_T {test.c_t:.1f}, P {test.p_patients:.1g} over patients."
        )
    return reasons


def collapse_reasons(test: DiversityTest, settings: CopySettings) -> list[str]:
    """One sentence for each sign that the generator repeats itself."""
    reasons = []
    comparison = f"that of {test.count} real images, below"
    if test.mean_distance_ratio < settings.min_mean_distance:
        reasons.append(
            f"The mean distance between generated images is {test.mean_distance_ratio:.2f} of "
            f"{comparison} {settings.min_mean_distance}."
        )
    if test.vendi_ratio < settings.min_vendi:
        reasons.append(
            f"The Vendi score of the generated images is {test.vendi_ratio:.2f} of "
            f"{comparison} {settings.min_vendi}."
        )
    natural = test.near_duplicates_of_patients
    if test.generated.near_duplicates - natural > settings.max_near_duplicates:
        reasons.append(
            f"{test.generated.near_duplicates:.1%} of generated images have a near-duplicate "
            f"among them, of as many real ones of few patients {natural:.1%}."
        )
    return reasons

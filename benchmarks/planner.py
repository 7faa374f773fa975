"""Are the planner's figures right, and does DeLong's paired test keep its level?

    python benchmarks/planner.py --out FILE.json [--studies 10000]

(a) The planner beside figures of a separate simulation: what 18 + 16 (Liu 2020) and 11 + 33 (Park
2021) patients can detect, the power of given gains, and the patients that McNemar's test needs.
(b) The type I error of the test at level 0.05, where both models have the same AUC.

Every figure stands with its Monte Carlo error, of the planner alone. One JSON line per figure.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import tyro

from idhray.planning.accuracy import fewest_discordant, mcnemar_patients, normal_patients
from idhray.planning.auc import detectable_auc
from idhray.planning.simulation import StudyDesign, auc_power

CORRELATIONS = (0.5, 0.8, 0.9)
DETECTABLE = {  # (mutant, wildtype, AUC) -> at each correlation; NaN: nothing up to 1
    (18, 16, 0.75): (0.953, 0.911, 0.881),
    (18, 16, 0.80): (0.984, 0.954, 0.927),
    (18, 16, 0.92): (math.nan, math.nan, math.nan),
    (11, 33, 0.75): (0.954, 0.911, 0.877),
    (11, 33, 0.80): (0.981, 0.950, 0.923),
}
POWERS = {  # (mutant, wildtype, from, to) -> lowest and highest over correlations
    (18, 16, 0.92, 0.927): (0.01, 0.02),
    (18, 16, 0.92, 0.99): (0.15, 0.27),
    (180, 160, 0.92, 0.95): (0.88, 0.99),
}
MCNEMAR = {  # (gain, discordance) -> patients by the normal approximation
    (2 / 34, 0.06): 134,
    (2 / 34, 0.20): 452,
    (3 / 34, 3 / 34): 87,
    (3 / 34, 0.20): 200,
    (3 / 44, 3 / 44): 113,
    (3 / 44, 0.20): 336,
}
LEVELS = [(m, w, a) for m, w in ((18, 16), (11, 33), (100, 100)) for a in (0.75, 0.85, 0.92, 0.97)]


def main(out: Path, studies: int = 10_000, seed: int = 0) -> None:
    """Print one JSON line per figure, and write them all to a file."""
    rows = []
    for row in (*_detectable(studies, seed), *_powers(studies, seed), *_mcnemar()):
        rows.append(row)
        print(json.dumps(row), flush=True)
    for row in _levels(studies, seed):
        rows.append(row)
        print(json.dumps(row), flush=True)
    out.write_text(json.dumps(rows, indent=2) + "\n")


def _detectable(studies: int, seed: int) -> Iterator[dict[str, object]]:
    for (mutant, wildtype, auc), expected in DETECTABLE.items():
        for correlation, other in zip(CORRELATIONS, expected, strict=True):
            design = StudyDesign(
                n_mutant=mutant, n_wildtype=wildtype, auc=auc, correlation=correlation
            )
            found = detectable_auc(design, studies=studies, seed=seed)
            yield {
                "figure": "detectable AUC",
                "patients": f"{mutant}+{wildtype}",
                "from": auc,
                "correlation": correlation,
                "planner": _rounded(found.auc),
                "mc_error": _rounded(found.mc_error),
                "other": _rounded(other),
                "highest_power": _rounded(found.highest_power),
            }


def _powers(studies: int, seed: int) -> Iterator[dict[str, object]]:
    for (mutant, wildtype, old, new), (low, high) in POWERS.items():
        for correlation in CORRELATIONS:
            design = StudyDesign(
                n_mutant=mutant, n_wildtype=wildtype, auc=old, correlation=correlation
            )
            found = auc_power(design, new, studies=studies, seed=seed, scores=10**7)
            yield {
                "figure": "power",
                "patients": f"{mutant}+{wildtype}",
                "from": old,
                "to": new,
                "correlation": correlation,
                "planner": _rounded(found.value),
                "mc_error": _rounded(found.mc_error),
                "other": f"{low} to {high}",
            }


def _mcnemar() -> Iterator[dict[str, object]]:
    yield {
        "figure": "fewest discordant patients",
        "exact": fewest_discordant(),
        "mid_p": fewest_discordant("mid-P"),
        "other": "6, mid-P 5",
    }
    for (gain, discordance), other in MCNEMAR.items():
        yield {
            "figure": "patients for McNemar, 80% power",
            "gain": _rounded(gain),
            "discordance": _rounded(discordance),
            "normal": normal_patients(gain, discordance),
            "exact": mcnemar_patients(gain, discordance),
            "mid_p": mcnemar_patients(gain, discordance, method="mid-P"),
            "other": other,
        }


def _levels(studies: int, seed: int) -> Iterator[dict[str, object]]:
    for mutant, wildtype, auc in LEVELS:
        for correlation in CORRELATIONS:
            design = StudyDesign(
                n_mutant=mutant, n_wildtype=wildtype, auc=auc, correlation=correlation
            )
            found = auc_power(design, auc, studies=studies, seed=seed, scores=10**7)
            yield {
                "figure": "type I error at 0.05",
                "patients": f"{mutant}+{wildtype}",
                "auc": auc,
                "correlation": correlation,
                "planner": _rounded(found.value),
                "mc_error": _rounded(found.mc_error),
                "studies": found.studies,
            }


def _rounded(value: float) -> float | None:
    """Four digits; null for NaN, which JSON has not."""
    return None if math.isnan(value) else round(value, 4)


if __name__ == "__main__":
    tyro.cli(main)

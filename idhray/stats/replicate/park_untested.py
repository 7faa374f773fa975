"""Park 2021: what the paper did not test, and what it announced but did not print."""

from math import exp, log

from idhray.stats.accuracy.rates import proportion
from idhray.stats.replicate.areas import interval_finding, lattice_areas
from idhray.stats.replicate.cells import Block, Cell
from idhray.stats.replicate.gains import accuracy_cells, area_cell
from idhray.stats.replicate.park_diagnosis import printed_area
from idhray.stats.replicate.park_features import MODELS, feature_counts
from idhray.stats.replicate.typed import Row, typed
from idhray.stats.sample import SampleError

CORRELATIONS = (0.0, 0.8, 0.95)


def untested() -> Block:
    """Accuracies with intervals, gains of model 3 over model 1, and Nagelkerke's R2."""
    rows = {(row["set"], row["model"]): row for row in typed("park2021_table3")}
    readers = ("validation, reader 1", "validation, reader 2")
    gains = [(reader, _right(rows[reader, "1"]), _right(rows[reader, "3"])) for reader in readers]
    return Block(
        title="What the paper did not test or print",
        cells=(
            *(_accuracy(rows[reader, model]) for reader in readers for model in ("1", "3")),
            *accuracy_cells(gains, int(rows[readers[0], "1"]["n"])),
            *(_area_gain(reader, rows[reader, "1"], rows[reader, "3"]) for reader in readers),
            *_nagelkerke_cells(),
        ),
        findings=(_prevalence(rows["training", "1"], rows[readers[0], "1"]),),
    )


def nagelkerke(mutants: list[int], totals: list[int]) -> float:
    """Nagelkerke's R2 of a logistic regression on one categorical predictor, from its counts.

    Args:
        mutants, totals: By level. The saturated model predicts each level's own share.

    Raises:
        SampleError: one class only, where the null likelihood leaves nothing to explain.

    Source: Nagelkerke 1991 (Biometrika 78:691), equation 3.
    """
    n, m = sum(totals), sum(mutants)
    if m in (0, n):
        raise SampleError(f"{m} of {n} cases are mutants: R2 needs both classes")
    null = _log_likelihood(m, n)
    full = sum(_log_likelihood(k, total) for k, total in zip(mutants, totals, strict=True))
    return (1 - exp(2 * (null - full) / n)) / (1 - exp(2 * null / n))


def _log_likelihood(mutants: int, total: int) -> float:
    sides = (mutants, total - mutants)
    return sum(side * log(side / total) for side in sides if side)


def _right(row: Row) -> int:
    return int(row["accuracy_count"].split("/")[0])


def _accuracy(row: Row) -> Cell:
    right, n = _right(row), int(row["n"])
    found = proportion(right, n)
    return Cell(
        row=row["row"],
        item="accuracy 95% CI",
        published="",
        recomputed=f"{found.exact_low:.3f}-{found.exact_high:.3f}",
        status="added",
        convention=f"exact (Clopper-Pearson) for {right}/{n} as printed",
        value=found.exact_low,
    )


def _area_gain(reader: str, before: Row, after: Row) -> Cell:
    areas = [printed_area(row) for row in (before, after)]
    points = [float(lattice_areas(area)[1][0]) for area in areas]
    errors = [interval_finding(area).se for area in areas]
    return area_cell(
        reader, (points[0], points[1]), (errors[0], errors[1]), "SE of the intervals", CORRELATIONS
    )


def _nagelkerke_cells() -> list[Cell]:
    cells = []
    for variable, levels in feature_counts().items():
        found = []
        for groups in MODELS.values():
            mutants = [sum(pair[g] for g in groups[1:]) for pair in levels.values()]
            totals = [sum(pair[g] for g in groups) for pair in levels.values()]
            found.append(nagelkerke(mutants, totals))
        cells.append(
            Cell(
                row=variable,
                item="Nagelkerke R2",
                published="",
                recomputed=", ".join(f"{value:.3f}" for value in found),
                status="added",
                convention="univariable, models 1, 2, 3; announced, never printed",
                value=found[0],
            )
        )
    return cells


def _prevalence(training: Row, validation: Row) -> str:
    mutants, n = (
        sum(int(row[name]) for row in (training, validation)) for name in ("n_mutant", "n")
    )
    return (
        f"{mutants} of {n} patients ({100 * mutants / n:.0f}%) are IDH-mutant, against the 8% that "
        "the paper quotes for glioblastoma: accuracy and predictive values do not carry over."
    )

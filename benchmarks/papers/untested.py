"""Gains that both papers report without a test, and figures announced but not printed."""

from collections.abc import Sequence
from math import exp, hypot, log, sqrt

from scipy import stats

from benchmarks.papers.areas import interval_cell, lattice_areas
from benchmarks.papers.cells import Block, Cell, Row, added, find, sizes_of
from benchmarks.papers.liu_tables import ROWS, counts_of_row
from benchmarks.papers.park_features import MODELS, feature_counts
from idhray.stats.accuracy.rates import proportion
from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import fisher_exact
from idhray.stats.hypothesis.mcnemar import mcnemar
from idhray.stats.roc.intervals import hanley_mcneil_se

READERS = ("validation, reader 1", "validation, reader 2")


def best_mcnemar(before: int, after: int, n: int) -> tuple[float, int, int]:
    """Smallest exact P over all pairings of two accuracies on the same n patients.

    Returns:
        P, and the patients that only the first (b) and only the second (c) calls right.
    """
    pairings = [(b, b + after - before) for b in range(before + 1)]
    return min((mcnemar(b, c).p, b, c) for b, c in pairings if 0 <= c <= n - before)


def paired_area_p(areas: Sequence[float], errors: Sequence[float], correlation: float) -> float:
    """P of a difference of two areas on the same patients, if their estimates correlate so."""
    first, second = errors
    variance = first**2 + second**2 - 2 * correlation * first * second
    return float(2 * stats.norm.sf(abs(areas[1] - areas[0]) / sqrt(variance)))


def accuracy_gain(name: str, before: int, after: int, n: int) -> Cell:
    """Exact McNemar at best, and Fisher's test as though the patients were other ones."""
    p, b, c = best_mcnemar(before, after, n)
    unpaired = shortly(fisher_exact([[before, n - before], [after, n - after]]).p)
    place, text = (f"{name}: {before} to {after} of {n}", "paired P"), f"{shortly(p)} at best"
    convention = "exact McNemar, the most favorable of all pairings"
    remark = f"{c} against {b} discordant patients; unpaired (Fisher) P {unpaired}"
    return added(place, text, convention, remark=remark, value=p)


def area_gain(
    name: str, areas: Sequence[float], errors: Sequence[float], source: str, rs: Sequence[float]
) -> Cell:
    """P of a gain in area for several correlations of the two estimates."""
    p_values = [paired_area_p(areas, errors, r) for r in rs]
    convention = f"normal, {source}, correlation {', '.join(f'{r:g}' for r in rs)}"
    remark = f"unpaired SE of the difference {hypot(*errors):.3f}"
    place, text = (f"{name}: {areas[0]:.3f} to {areas[1]:.3f}", "paired P"), map(shortly, p_values)
    return added(place, ", ".join(text), convention, remark=remark, value=p_values[0])


def first_area(row: Row) -> float:
    """The smallest area of the lattice that prints as the area of a row."""
    return float(lattice_areas(row)[1][0])


def untested_by_liu() -> Block:
    """McNemar and Fisher for the gains in accuracy, and a normal test for the gain in AUC."""
    baseline, more = (find(ROWS, source="Table 2", set="test", row=n) for n in ("Baseline", "+3 K"))
    image, both = (
        find(ROWS, source="Table 3", set="test", row=n) for n in ("Image", "Age & image")
    )
    val = [find(ROWS, source="Table 2", set="val", row=row["row"]) for row in (baseline, more)]
    gains = {
        "Baseline to +3 K, test": (baseline, more),
        "Baseline to +3 K, val": val,
        "Baseline to Age & image, test": (baseline, both),
        "Image to Age & image, test": (image, both),
    }
    cells = []
    for name, (old, new) in gains.items():
        right = sum(counts_of_row(old)), sum(counts_of_row(new))
        cells.append(accuracy_gain(name, *right, int(old["n"])))
    areas = first_area(baseline), first_area(more)
    errors = [hanley_mcneil_se(area, *sizes_of(baseline)) for area in areas]
    name, correlations = "Baseline to +3 K, test", (0, 0.8, 0.9, 0.95)
    cells.append(area_gain(name, areas, errors, "Hanley-McNeil SE", correlations))
    return Block("What the paper did not test", cells)


def untested_by_park() -> Block:
    """Accuracies with intervals, gains of model 3 over model 1, and Nagelkerke's R2."""
    accuracies, accuracy_gains, area_gains = [], [], []
    for reader in READERS:
        pair = [find("park2021_table3", set=reader, model=model) for model in ("1", "3")]
        before, after = (int(row["accuracy_count"].split("/")[0]) for row in pair)
        n = int(pair[0]["n"])
        for row, k in zip(pair, (before, after), strict=True):
            exact, place = proportion(k, n), (row["row"], "accuracy 95% CI")
            text = f"{exact.exact_low:.3f}-{exact.exact_high:.3f}"
            convention = f"exact (Clopper-Pearson) for {k}/{n} as printed"
            accuracies.append(added(place, text, convention, value=exact.exact_low))
        accuracy_gains.append(accuracy_gain(reader, before, after, n))
        areas, errors = map(first_area, pair), [interval_cell(row).value for row in pair]
        source, correlations = "SE of the intervals", (0, 0.8, 0.95)
        area_gains.append(area_gain(reader, [*areas], errors, source, correlations))
    sets = [sizes_of(find("park2021_table3", set=name)) for name in ("training", READERS[0])]
    m, w = (sum(sizes) for sizes in zip(*sets, strict=True))
    return Block(
        "What the paper did not test or print",
        [*accuracies, *accuracy_gains, *area_gains, *_nagelkerke_cells()],
        [
            f"{m} of {m + w} patients ({m / (m + w):.0%}) are IDH-mutant, against the 8% that the "
            "paper quotes for glioblastoma: accuracy and predictive values do not carry over."
        ],
    )


def nagelkerke(mutants: Sequence[int], totals: Sequence[int]) -> float:
    """Nagelkerke's R2 of a logistic regression on one categorical predictor, from its counts.

    Args:
        mutants: By level. The saturated model predicts each level's own share.
        totals: By level.

    Source: Nagelkerke 1991 (Biometrika 78:691), equation 3.
    """
    n, null = sum(totals), _log_likelihood(sum(mutants), sum(totals))
    full = sum(map(_log_likelihood, mutants, totals))
    return (1 - exp(2 * (null - full) / n)) / (1 - exp(2 * null / n))


def _log_likelihood(mutants: int, total: int) -> float:
    return sum(side * log(side / total) for side in (mutants, total - mutants) if side)


def _nagelkerke_cells() -> list[Cell]:
    cells, convention = [], "univariable, models 1, 2, 3; announced, never printed"
    for variable, levels in feature_counts().items():
        values = []
        for groups in MODELS.values():
            mutants = [sum(pair[g] for g in groups[1:]) for pair in levels.values()]
            totals = [sum(pair[g] for g in groups) for pair in levels.values()]
            values.append(nagelkerke(mutants, totals))
        text = ", ".join(f"{value:.3f}" for value in values)
        cells.append(added((variable, "Nagelkerke R2"), text, convention, value=values[0]))
    return cells

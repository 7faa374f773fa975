"""Gains that were reported without a test: the best case that a test could have made of them."""

from collections.abc import Sequence
from math import hypot, sqrt

from scipy import stats

from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import fisher_exact
from idhray.stats.hypothesis.mcnemar import mcnemar
from idhray.stats.replicate.cells import Cell
from idhray.stats.sample import SampleError

Right = tuple[str, int, int]  # what, before and after: patients called right


def best_mcnemar(before: int, after: int, n: int) -> tuple[float, int, int]:
    """Smallest exact P over all pairings of two accuracies on the same n patients.

    Returns:
        P, and the patients that only the first (b) and only the second (c) calls right.

    Raises:
        SampleError: a count is not one of n patients.
    """
    if not (0 <= before <= n and 0 <= after <= n):
        raise SampleError(f"{before} and {after} of {n} patients called right: not possible")
    pairings = [
        (b, b + after - before) for b in range(before + 1) if 0 <= b + after - before <= n - before
    ]
    return min((mcnemar(b, c).p, b, c) for b, c in pairings)


def paired_area_p(
    areas: tuple[float, float], errors: tuple[float, float], correlation: float
) -> float:
    """P of a difference of two areas on the same patients, if their estimates correlate so."""
    first, second = errors
    variance = first**2 + second**2 - 2 * correlation * first * second
    return float(2 * stats.norm.sf(abs(areas[1] - areas[0]) / sqrt(variance)))


def accuracy_cells(gains: Sequence[Right], n: int) -> list[Cell]:
    """Exact McNemar at best, and Fisher's test as though the patients were other ones."""
    cells = []
    for name, before, after in gains:
        p, b, c = best_mcnemar(before, after, n)
        unpaired = fisher_exact([[before, n - before], [after, n - after]]).p
        cells.append(
            Cell(
                row=f"{name}: {before} to {after} of {n}",
                item="paired P",
                published="",
                recomputed=f"{shortly(p)} at best",
                status="added",
                convention="exact McNemar, the most favorable of all pairings",
                remark=f"{c} against {b} discordant patients; unpaired (Fisher) P "
                f"{shortly(unpaired)}",
                value=p,
            )
        )
    return cells


def area_cell(
    name: str,
    areas: tuple[float, float],
    errors: tuple[float, float],
    source: str,
    correlations: Sequence[float],
) -> Cell:
    """P of a gain in area for several correlations of the two estimates."""
    found = [paired_area_p(areas, errors, r) for r in correlations]
    return Cell(
        row=f"{name}: {areas[0]:.3f} to {areas[1]:.3f}",
        item="paired P",
        published="",
        recomputed=", ".join(shortly(p) for p in found),
        status="added",
        convention=f"normal, {source}, correlation {', '.join(f'{r:g}' for r in correlations)}",
        remark=f"unpaired SE of the difference {hypot(*errors):.3f}",
        value=found[0],
    )

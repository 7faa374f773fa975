"""What slip would turn the counts of table 1 into a printed beta and P: candidates, all tried."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from idhray.stats.audit.printed_number import shortly
from idhray.stats.replicate.cells import REPRODUCED, status_of
from idhray.stats.replicate.park_features import (
    GROUP_NAMES,
    MODELS,
    Split,
    log_odds_ratio,
    wald_p,
)
from idhray.stats.replicate.typed import number_in

_SHIFTS = (1, -1, 2, -2)  # patients that a slip of the pen may have moved


def reproduces(groups: Sequence[Split], beta: str, p: str) -> bool:
    """Whether counts give the printed beta and its Wald P."""
    if any(0 in group for group in groups):
        return False
    return (
        status_of(beta, log_odds_ratio(groups)[0]) in REPRODUCED
        and status_of(p, wald_p(groups)) in REPRODUCED
    )


def explanation(groups: Sequence[Split], model: int, beta: str, p: str) -> str:
    """The smallest slip that gives both printed values, or that there is none."""
    for edited, words in (*_swaps(groups, model), *_shifts(groups, model)):
        if reproduces(edited, beta, p):
            return f"{words} gives {log_odds_ratio(edited)[0]:.4f} with P {shortly(wald_p(edited))}"
    lost = lost_digit(beta, log_odds_ratio(groups)[0])
    return f"{lost}; {_no_mutants(groups, beta)}" if lost else _any_split(groups, beta, p)


def lost_digit(printed: str, value: float) -> str:
    """`3.427 without its third digit`, where that is the printed text."""
    text = f"{value:.{_places(printed) + 1}f}"
    hit = any(text[:i] + text[i + 1 :] == printed for i in range(len(text)) if text[i].isdigit())
    cut_off = text[:-1] == printed
    return f"{text} with a digit lost would print so" if hit and not cut_off else ""


def splits_that_give(
    sizes: tuple[int, int], beta: str, p: str | None = None
) -> list[tuple[int, int]]:
    """All (wildtypes, mutants with the level) out of `sizes` that give beta, and P where given."""
    return [
        (w, m)
        for w, m in product(range(1, sizes[0]), range(1, sizes[1]))
        if _gives([(w, sizes[0] - w), (m, sizes[1] - m)], beta, p)
    ]


def wildtypes_that_fit(sizes: tuple[int, int], betas: Sequence[str]) -> set[int]:
    """How many wildtypes may have the level, if each printed beta comes from some mutants.

    The models share their wildtypes, so each beta narrows the one table that all were fitted to.

    Args:
        sizes: Wildtypes, and mutants of each model.
    """
    return set.intersection(*({w for w, _ in splits_that_give(sizes, beta)} for beta in betas))


def _gives(groups: Sequence[Split], beta: str, p: str | None) -> bool:
    if p is not None:
        return _near(groups, beta) and reproduces(groups, beta, p)
    return _near(groups, beta) and status_of(beta, log_odds_ratio(groups)[0]) in REPRODUCED


def _near(groups: Sequence[Split], beta: str) -> bool:
    """A quick look before the exact one."""
    number = number_in(beta)
    return abs(log_odds_ratio(groups)[0] - float(number.value)) <= float(number.unit)


def _swaps(groups: Sequence[Split], model: int) -> Iterator[tuple[list[Split], str]]:
    """Level and reference exchanged in one or more groups."""
    for number in range(1, len(groups) + 1):
        for chosen in combinations(range(len(groups)), number):
            edited = [g[::-1] if i in chosen else g for i, g in enumerate(groups)]
            names = " and ".join(GROUP_NAMES[MODELS[model][i]] for i in chosen)
            counts = ", ".join(f"{edited[i][0]}/{edited[i][1]}" for i in chosen)
            yield [(a, b) for a, b in edited], f"the {names} row swapped ({counts})"


def _shifts(groups: Sequence[Split], model: int) -> Iterator[tuple[list[Split], str]]:
    """One or two patients of one group moved to the other level."""
    for shift, i in product(_SHIFTS, range(len(groups))):
        level, reference = groups[i]
        moved = (level + shift, reference - shift)
        if min(moved) > 0:
            name = GROUP_NAMES[MODELS[model][i]]
            words = f"{moved[0]}/{moved[1]} instead of {level}/{reference} in {name}"
            yield [moved if j == i else g for j, g in enumerate(groups)], words


def _any_split(groups: Sequence[Split], beta: str, p: str) -> str:
    """Whether other mutants, or other patients altogether, would give both printed values."""
    wild, mutants = groups[0], pooled(groups)
    sizes = (sum(wild), sum(mutants))
    anywhere = splits_that_give(sizes, beta, p)
    if not anywhere:
        return (
            f"{_no_mutants(groups, beta)}, and no split of {sizes[0]} wildtypes and {sizes[1]} "
            f"mutants gives it with P {p}"
        )
    w, m = min(anywhere, key=lambda pair: abs(pair[0] - wild[0]) + abs(pair[1] - mutants[0]))
    needed = f"wild {w}/{sizes[0] - w} and mutant {m}/{sizes[1] - m}"
    return f"{_no_mutants(groups, beta)}; it needs {needed}, say"


def _no_mutants(groups: Sequence[Split], beta: str) -> str:
    """Between which two splits of the mutants the printed beta falls."""
    wild, mutants = groups[0], pooled(groups)
    if [m for w, m in splits_that_give((sum(wild), sum(mutants)), beta) if w == wild[0]]:
        return f"not from the mutants' {mutants[0]}/{mutants[1]}"
    near = nearest_betas(wild, sum(mutants), beta)
    return f"with wild {wild[0]}/{wild[1]} no split of {sum(mutants)} mutants gives it ({near})"


def pooled(groups: Sequence[Split]) -> Split:
    """All mutants of a model together."""
    return sum(g[0] for g in groups[1:]), sum(g[1] for g in groups[1:])


def nearest_betas(wild: Split, mutants: int, beta: str) -> str:
    """The two splits of the mutants between which the printed beta lies."""
    level = np.arange(1, mutants)
    betas: NDArray[np.float64] = np.log(level * wild[1] / ((mutants - level) * wild[0]))
    above = int(np.searchsorted(betas, float(number_in(beta).value)))
    around = [i for i in (above - 1, above) if 0 <= i < len(level)]
    return ", ".join(f"{level[i]}/{mutants - level[i]}: {betas[i]:.3f}" for i in around)


def _places(printed: str) -> int:
    return len(printed.partition(".")[2])

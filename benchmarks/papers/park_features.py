"""Park 2021: counts of each feature by group, and the slips that give a printed beta and P."""

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import numpy as np

from benchmarks.papers.cells import Row, counts_in, find, float_in, reproduces, typed
from idhray.stats.audit.contrasts import log_odds_ratio, wald_p
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import CountTable

Pair = tuple[int, ...]  # one level's counts, one per group
Split = tuple[int, int]  # one group's patients with the level, and with the reference
GROUPS = ("IDH-wild", "real IDH-mutant", "synthetic IDH-mutant")
MODELS = {"1": (0, 1), "2": (0, 2), "3": (0, 1, 2)}  # the groups of each model, wildtype first


def feature_counts() -> dict[str, dict[str, Pair]]:
    """variable -> level -> (wild, real mutant, synthetic mutant) of the training set."""
    features = {}
    for row in typed("park2021_table1"):
        if row["contrast"] == "P*" and row["counts"]:
            other = find("park2021_table1", variable=row["variable"], contrast="P**")
            pairs = zip(counts_in(row["counts"]), counts_in(other["counts"]), strict=True)
            counts = [(*real, synthetic[1]) for real, synthetic in pairs]
            features[row["variable"]] = dict(zip(row["levels"].split("; "), counts, strict=True))
    return features


def splits(row: Row, level: Pair, reference: Pair) -> list[Split]:
    """Per group of a row's model, wildtype first, patients with the level and the reference."""
    return [(level[group], reference[group]) for group in MODELS[row["model"]]]


def contrast(groups: Sequence[Split]) -> CountTable:
    """((wildtype, mutant) of the level, the same of the reference); all mutants together."""
    wild, *mutants = groups
    return (wild[0], sum(m[0] for m in mutants)), (wild[1], sum(m[1] for m in mutants))


def explanation(groups: Sequence[Split], row: Row) -> str:
    """The smallest slip that gives the beta and P of a row, or that there is none."""
    names, beta, p = [GROUPS[group] for group in MODELS[row["model"]]], row["estimate"], row["p"]
    for edited, words in (*_swaps(groups, names), *_shifts(groups, names)):
        counts = contrast(edited)
        if all(map(all, edited)) and _gives(counts, beta, p):
            return f"{words} gives {log_odds_ratio(counts):.4f} with P {shortly(wald_p(counts))}"
    (a, c), (b, d) = contrast(groups)  # wildtypes and mutants with the level, and without
    near = nearest_betas((a, b), c + d, beta)
    no_mutants = f"with wild {a}/{b} no split of {c + d} mutants gives it ({near})"
    if lost := lost_digit(beta, log_odds_ratio(contrast(groups))):
        return f"{lost}; {no_mutants}"
    fitting = splits_that_give((a + b, c + d), beta, p)
    if not fitting:
        sizes = f"{a + b} wildtypes and {c + d} mutants"
        return f"{no_mutants}, and no split of {sizes} gives it with P {p}"
    w, m = min(fitting, key=lambda pair: abs(pair[0] - a) + abs(pair[1] - c))
    return f"{no_mutants}; it needs wild {w}/{a + b - w} and mutant {m}/{c + d - m}, say"


def _swaps(groups: Sequence[Split], names: Sequence[str]) -> Iterator[tuple[list[Split], str]]:
    """Level and reference exchanged in one or more groups."""
    for number in range(1, len(groups) + 1):
        for chosen in combinations(range(len(groups)), number):
            edited = [(b, a) if i in chosen else (a, b) for i, (a, b) in enumerate(groups)]
            swapped = " and ".join(names[i] for i in chosen)
            counts = ", ".join(f"{edited[i][0]}/{edited[i][1]}" for i in chosen)
            yield edited, f"the {swapped} row swapped ({counts})"


def _shifts(groups: Sequence[Split], names: Sequence[str]) -> Iterator[tuple[list[Split], str]]:
    """One or two patients of one group moved to the other level."""
    for shift, i in product((1, -1, 2, -2), range(len(groups))):
        level, reference = groups[i]
        moved = (level + shift, reference - shift)
        words = f"{moved[0]}/{moved[1]} instead of {level}/{reference} in {names[i]}"
        yield [moved if j == i else g for j, g in enumerate(groups)], words


def nearest_betas(wild: Split, mutants: int, beta: str) -> str:
    """The two splits of the mutants between which the printed beta lies."""
    level = np.arange(1, mutants)
    betas = np.log(level * wild[1] / ((mutants - level) * wild[0]))
    above = int(np.searchsorted(betas, float_in(beta)))
    around = [i for i in (above - 1, above) if 0 <= i < len(level)]
    return ", ".join(f"{level[i]}/{mutants - level[i]}: {betas[i]:.3f}" for i in around)


def lost_digit(printed: str, value: float) -> str:
    """`3.427 with a digit lost would print so`, where that is the printed text."""
    text = f"{value:.{len(printed.partition('.')[2]) + 1}f}"
    hit = any(text[:i] + text[i + 1 :] == printed for i in range(len(text)) if text[i].isdigit())
    return f"{text} with a digit lost would print so" if hit and text[:-1] != printed else ""


def splits_that_give(sizes: tuple[int, int], beta: str, p: str | None = None) -> list[Split]:
    """All (wildtypes, mutants with the level) out of `sizes` that give beta, and P if any."""
    return [
        (w, m)
        for w, m in product(range(1, sizes[0]), range(1, sizes[1]))
        if _gives(((w, m), (sizes[0] - w, sizes[1] - m)), beta, p)
    ]


def _gives(counts: CountTable, beta: str, p: str | None) -> bool:
    estimate = log_odds_ratio(counts)
    if not abs(estimate - float_in(beta)) < 0.1:  # far off: the exact reading would be slow
        return False
    return reproduces(beta, estimate) and (p is None or reproduces(p, wald_p(counts)))

"""Small slips that turn the counts of a contrast into the estimate that was printed."""

from collections.abc import Iterator
from math import exp, isfinite

from idhray.stats.audit.contrasts import contrast_p_values, log_odds_ratio
from idhray.stats.audit.findings import Rows
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import ODDS_RATIO, Counts, ReportedRow

_CLASSES = ("wildtype", "mutant")
_MOST_MOVED = 2


def on_scale(beta: float, scale: str) -> float:
    """A beta, or the odds ratio that it is."""
    return exp(beta) if scale == ODDS_RATIO else beta


def slip(row: ReportedRow, table: Rows) -> str:
    """The first slip that gives the printed estimate and P, else one that gives the estimate."""
    if row.contrast is None or row.estimate is None:
        return ""
    only_estimate = ""
    for text, counts, may_miss_p in _slips(row, row.contrast, table):
        beta = log_odds_ratio(counts)
        if not isfinite(beta) or row.estimate.reading(on_scale(beta, row.scale)) is None:
            continue
        found = f"{text} it is {shortly(on_scale(beta, row.scale), 3)}"
        p = contrast_p_values(counts)
        if row.p is None or any(row.p.reading(value) for value in p.values()):
            return found
        if may_miss_p and not only_estimate:
            only_estimate = f"{found}, but then P is {shortly(next(iter(p.values())))}"
    return only_estimate


def _slips(row: ReportedRow, counts: Counts, table: Rows) -> Iterator[tuple[str, Counts, bool]]:
    """(what happened, the counts then, whether it is told though P does not fit)."""
    level, reference = counts
    yield "with level and reference exchanged", (reference, level), True
    for other, line in _levels_with(reference, row.cases, table).items():
        if other == level:
            continue
        yield f"for the level of row {line} against this one", (other, level), True
        yield f"for this level against that of row {line}", (level, other), True
    for i, who in enumerate(_CLASSES):
        exchanged = _with_class(counts, i, reference[i], level[i])
        yield f"with both {who} counts exchanged ({counts_text(exchanged)})", exchanged, True
    for moved in range(1, _MOST_MOVED + 1):
        for i, who in enumerate(_CLASSES):
            for step in (moved, -moved):
                shifted = _with_class(counts, i, level[i] + step, reference[i] - step)
                if min(min(cells) for cells in shifted) >= 0:
                    text = f"with {moved} {who} in the other level ({counts_text(shifted)})"
                    yield text, shifted, False


def _levels_with(
    reference: tuple[int, ...], cases: int | None, table: Rows
) -> dict[tuple[int, ...], int]:
    """Levels of the same variable, known by the same reference -> their first row."""
    return {
        other.contrast[0]: other.line
        for other in reversed(table)
        if other.contrast and other.contrast[1] == reference and other.cases == cases
    }


def _with_class(counts: Counts, i: int, of_level: int, of_reference: int) -> Counts:
    level, reference = list(counts[0]), list(counts[1])
    level[i], reference[i] = of_level, of_reference
    return tuple(level), tuple(reference)


def counts_text(counts: Counts) -> str:
    """As in the file: `4/20; 76/18`."""
    return "; ".join("/".join(str(cell) for cell in level) for level in counts)

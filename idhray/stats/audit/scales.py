"""Ratios (of odds, hazards, risks) that are betas, and betas that are odds ratios."""

from collections.abc import Iterator
from math import exp

from idhray.stats.audit.findings import Check, Finding, Rows, Severity, each, finding
from idhray.stats.audit.interval import PROFILE_LEAN, agreement, interval_of
from idhray.stats.audit.printed_number import shortly
from idhray.stats.audit.reported import BETA, ODDS_RATIO, RATIOS, ReportedRow

ON_ITS_SCALE = "estimate is on the scale it claims"
SAME_ELSEWHERE = "an odds ratio is not the beta given elsewhere"
_OTHER = {BETA: ODDS_RATIO, **dict.fromkeys(RATIOS, BETA)}
_FEWEST_DECIMALS = 10  # one decimal or more: "2" may well be printed twice


def wrong_scale(row: ReportedRow) -> Severity | None:
    """Whether an interval, with its P, makes sense on the other scale only.

    Returns:
        `contradiction` where P says so, `suspicious` where only the symmetry of the interval does.
    """
    if row.scale not in _OTHER:
        return None
    claimed, other = interval_of(row, row.scale), interval_of(row, _OTHER[row.scale])
    if other is None or not other.symmetric() or claimed is None:
        return None
    if row.p is not None:
        as_claimed, as_other = agreement(claimed, row.p), agreement(other, row.p)
        if as_claimed == "no":
            return "contradiction" if as_other == "yes" else None
    if claimed.symmetric() or (row.scale == BETA and claimed.lean() <= PROFILE_LEAN):
        return None  # profile-likelihood intervals of betas may be symmetric in the logarithm
    return "suspicious"


def other_scale(row: ReportedRow) -> Iterator[Finding]:
    """A claimed ratio whose interval is that of a beta, or the reverse."""
    severity = wrong_scale(row)
    if severity is None or not (row.estimate and row.low and row.high):
        return
    other = _OTHER[row.scale]
    name = {BETA: "itself", **dict.fromkeys(RATIOS, "its logarithm")}
    reason = f"the interval is symmetric about {name[other]}, not about {name[row.scale]}"
    if severity == "contradiction" and row.p is not None:
        reason = f"with P {row.p.text} the interval makes sense on the scale of the {other} only"
    yield finding(
        row,
        ON_ITS_SCALE,
        severity,
        printed=f"{row.scale} {row.estimate.text} ({row.low.text} to {row.high.text})",
        reason=reason,
        fits=f"{_a(other)} under the wrong name",
    )


def betas_elsewhere(rows: Rows, table: Rows) -> Iterator[Finding]:
    """Ratios with the very digits of a beta in the same group."""
    betas = {
        (row.group, row.estimate.value): row
        for row in reversed(table)
        if row.scale == BETA and row.group and row.estimate
    }
    for row in rows:
        if row.scale not in RATIOS or row.estimate is None:
            continue
        same = betas.get((row.group, row.estimate.value))
        if same is None or row.estimate.unit * _FEWEST_DECIMALS > 1:
            continue
        text = row.estimate.text
        p_text = ""
        if row.p and same.p and not _meet(row.p.span(), same.p.span()):
            p_text = f", with P {same.p.text} where this row has {row.p.text}"
        yield finding(
            row,
            SAME_ELSEWHERE,
            "contradiction",
            printed=f"{row.scale} {text}",
            reason=f"row {same.line} ({same.source or same.row}) gives {text} as the beta" + p_text,
            fits=f"as a beta it is {_a(row.scale)} of {shortly(exp(float(row.estimate.value)))}",
        )


def _a(scale: str) -> str:
    return f"an {scale}" if scale == ODDS_RATIO else f"a {scale}"


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


CHECKS = (
    Check(
        rule=ON_ITS_SCALE,
        given=("estimate", "low", "high"),
        needs=("known_scale",),
        find=each(other_scale),
    ),
    Check(
        rule=SAME_ELSEWHERE,
        given=("estimate", "scale"),
        needs=("group",),
        find=betas_elsewhere,
    ),
)

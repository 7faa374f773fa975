"""Estimates, intervals and P values of one row that must agree, on the scale that the row names."""

from collections.abc import Iterator

from idhray.stats.audit.findings import Check, Finding, Severity, each, finding
from idhray.stats.audit.intervals import (
    PROFILE_LEAN,
    Interval,
    agreement,
    apart,
    diagnosis,
    implied_p,
    interval_of,
    other_level,
)
from idhray.stats.audit.printed_number import PrintedP, shortly
from idhray.stats.audit.reported import (
    BETA,
    EFFECT_RATIOS,
    KAPPA,
    ODDS_RATIO,
    ReportedRow,
    with_article,
)

AGREES_WITH_P = "interval agrees with P"
SYMMETRIC = "interval is symmetric on its scale"
ON_ITS_SCALE = "estimate is on the scale it claims"
ESTIMATE_INTERVAL = ("estimate", "low", "high")
_OTHER = {BETA: ODDS_RATIO, **dict.fromkeys(EFFECT_RATIOS, BETA)}
_EXTREME_LEAN = 3.0
_TINY = 0.001  # P
_TOWARDS_ZERO = 1 / 1.2  # no likelihood leans that way


def against_p(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that mean another standard error than P does.

    P of a kappa is that of no agreement, which has a standard error of its own.
    """
    interval, p = interval_of(row, row.scale), row.p
    if interval is None or p is None or wrong_scale(row):
        return
    verdict = agreement(interval, p)
    if verdict == "no":
        se = shortly(interval.standard_error())
        text = _implied_text(interval)
        yield finding(
            row,
            AGREES_WITH_P,
            "suspicious" if row.scale == KAPPA else "contradiction",
            printed=row.estimate_text,
            reason=f"the interval means a standard error of {se} and {text}, not {p.text}",
            fits=diagnosis(row, interval, p),
        )
    elif verdict == "significance":
        reach = "excludes" if interval.excludes_zero() else "includes"
        yield finding(
            row,
            AGREES_WITH_P,
            "suspicious",
            printed=row.estimate_text,
            reason=f"the interval {reach} no effect, and P is {p.text}",
            fits="interval and P of different methods, which should be named",
        )
    elif apart(interval, p):
        yield _other_p(row, interval, p)


def _implied_text(interval: Interval, digits: int = 1) -> str:
    meant = implied_p(interval)
    return f"P = {shortly(meant, digits)}" if meant else "P below 1e-300"


def _other_p(row: ReportedRow, interval: Interval, p: PrintedP) -> Finding:
    """A finding about an interval and a P that differ by less than a contradiction.

    It is a remark if the interval is no Wald interval, or if both P values are tiny.
    """
    others = "interval and P of different methods (likelihood ratio, exact), which should be named"
    level = other_level(interval, p)
    usual = not interval.symmetric() or max(implied_p(interval), p.span()[1]) <= _TINY
    return finding(
        row,
        AGREES_WITH_P,
        "remark" if usual else "suspicious",
        printed=row.estimate_text,
        reason=f"by Wald the interval means {_implied_text(interval, 2)}, not {p.text}",
        fits=f"{level}; or {others}" if level else others,
    )


def asymmetric(row: ReportedRow) -> Iterator[Finding]:
    """Intervals that are not an estimate with a standard error to both sides.

    A profile-likelihood interval is longer on one side: away from 0 if it excludes 0, else on
    either. If it is moderately so, and P agrees, that is a remark.
    """
    interval = interval_of(row, row.scale)
    if interval is None or interval.symmetric() or wrong_scale(row):
        return
    lean = interval.lean()
    agrees = row.p is not None and agreement(interval, row.p) == "yes"
    most = _EXTREME_LEAN if agrees else PROFILE_LEAN
    least = _TOWARDS_ZERO if interval.excludes_zero() else 1 / most
    usual = least <= lean <= most
    longer = f"{shortly(lean if lean >= 1 else 1 / lean if lean else 99.0, 1)} times"
    side = "away from" if lean >= 1 else "towards"
    yield finding(
        row,
        SYMMETRIC,
        "remark" if usual else "suspicious",
        printed=row.estimate_text,
        reason=f"its side {side} no effect is {longer} as long as the other, beyond rounding",
        fits="a profile-likelihood or bootstrap interval" if usual else "",
    )


def wrong_scale(row: ReportedRow) -> Severity | None:
    """Severity of an interval that, with its P, makes sense on the other scale only; else None.

    Returns:
        `contradiction` if P shows it, `suspicious` if only the symmetry of the interval does.
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
    name = {BETA: "itself", **dict.fromkeys(EFFECT_RATIOS, "its logarithm")}
    reason = f"the interval is symmetric about {name[other]}, not about {name[row.scale]}"
    if severity == "contradiction" and row.p is not None:
        reason = f"with P {row.p.text} the interval makes sense on the scale of the {other} only"
    yield finding(
        row,
        ON_ITS_SCALE,
        severity,
        printed=f"{row.scale} {row.estimate.text} ({row.low.text} to {row.high.text})",
        reason=reason,
        fits=f"{with_article(other)} under the wrong name",
    )


CHECKS = (
    Check(
        rule=AGREES_WITH_P,
        applies_to=("estimate",),
        needs=("low", "high", "p", "known_scale"),
        find=each(against_p),
    ),
    Check(
        rule=SYMMETRIC,
        applies_to=ESTIMATE_INTERVAL,
        needs=("known_scale",),
        find=each(asymmetric),
    ),
    Check(
        rule=ON_ITS_SCALE,
        applies_to=ESTIMATE_INTERVAL,
        needs=("known_scale",),
        find=each(other_scale),
    ),
)

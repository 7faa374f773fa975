"""Park 2021, table 2, multivariable: what the printed "95% confidence intervals" are.

The coefficients need the patients. But beta and P fix the standard error, and that fixes the
interval: every rule that may have been used is tried on all of them.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from idhray.stats.audit.printed_number import shortly
from idhray.stats.replicate.cells import Block, Cell, Status
from idhray.stats.replicate.park_features import feature_counts, log_odds_ratio, splits
from idhray.stats.replicate.typed import Row, typed
from idhray.stats.replicate.wald_intervals import RULES, Interval, Z, interval_of, p_in


def multivariable() -> Block:
    """21 intervals; which rule most of them follow, and what is wrong with the others."""
    rows = [row for row in typed("park2021_table2") if row["analysis"] == "multivariable"]
    intervals = [interval_of(row) for row in rows]
    counts = {rule: sum(one.follows(rule) for one in intervals) for rule in RULES}
    best = max(counts, key=lambda rule: counts[rule])
    bounds = {
        rule: sum(one.follows(rule) and "<" in one.row["p"] for one in intervals) for rule in RULES
    }
    mended = [one for one in intervals if not one.follows(best) and _mended(one, best)]
    return Block(
        title='Table 2, multivariable: the "95% confidence intervals"',
        cells=(*(_cell(one, best, intervals) for one in intervals), *_coefficients(rows)),
        findings=(
            *(
                f"{rule}: {count} of {len(rows)} intervals"
                + (f", {bounds[rule]} of them by a bound on P only." if bounds[rule] else ".")
                for rule, count in counts.items()
            ),
            f"{counts[best] + len(mended)} of {len(rows)} follow {best}, {len(mended)} of them "
            "with a lost minus sign put back. Only 1.96*SE would be a 95% interval.",
            _literally(intervals[0]),
            _events(rows),
        ),
    )


def _cell(one: Interval, rule: str, intervals: Sequence[Interval]) -> Cell:
    fits = one.follows(rule)
    outside = not one.low <= one.beta <= one.high
    status: Status = "match" if fits else "impossible" if outside else "mismatch"
    se = _likely_se(one, rule)
    half = RULES[rule](se, one.n)
    known = not one.row["p"].startswith("<")
    return Cell(
        row=one.row["row"].replace(" multivariable,", ""),
        item="95% CI",
        published=f"{one.row['low']}, {one.row['high']}",
        recomputed=f"{one.beta - half:.3f}, {one.beta + half:.3f}"
        if known
        else f"at most +-{RULES[rule](one.se[1], one.n):.3f}",
        status=status,
        convention=rule if known else f"{rule}, at P {one.row['p']}",
        remark=_real(one, se) if fits else "; ".join(_faults(one, rule, intervals)),
        value=half if known else float("nan"),
    )


def _likely_se(one: Interval, rule: str) -> float:
    """From beta and P as printed; from the interval where P is only a bound."""
    p = p_in(one.row["p"])
    if p.relation == "<":
        return one.half / RULES[rule](1.0, one.n)
    return abs(one.beta) / float(stats.norm.isf(float(p.number.value) / 2))


def _real(one: Interval, se: float) -> str:
    """The 95% interval that beta and its standard error do give, and the odds ratio."""
    low, high = one.beta - Z * se, one.beta + Z * se
    ratio, least, most = (shortly(float(np.exp(end))) for end in (one.beta, low, high))
    return f"a true one is {low:.2f} to {round(high, 2) + 0.0:.2f} (OR {ratio}, {least} to {most})"


def _faults(one: Interval, rule: str, intervals: Sequence[Interval]) -> list[str]:
    """What is wrong with an interval that does not follow the rule."""
    if mended := _mended(one, rule):
        return [f"its lower end is above its upper one; {mended}"]
    if not one.low <= one.beta <= one.high:
        return [f"does not contain its own estimate {one.row['estimate']}"]
    faults = [] if one.centered else ["not symmetric about the estimate"]
    if one.row["p"].startswith("<"):
        literal = one.half / Z
        single = _univariable_se(one.row)
        if literal < single:
            faults.append(
                f"as a true interval, SE {literal:.2f} is below the univariable {single:.2f}"
            )
    elif one.centered:
        implied = 2 * stats.norm.sf(abs(one.beta) / (one.half / RULES[rule](1.0, one.n)))
        faults.append(f"the rule would mean P {shortly(float(implied))}")
    faults += _copied(one, rule, intervals)
    if not one.row["p"].startswith("<") and not _copied(one, rule, intervals):
        faults.append(_real(one, _likely_se(one, rule)))
    return faults


def _mended(one: Interval, rule: str) -> str:
    """The interval with one sign changed, where it then follows the rule."""
    for low, high in ((-one.low, one.high), (one.low, -one.high)):
        if one.with_sign(low=low, high=high).follows(rule):
            return f"with the lost minus sign, {low:g}, {high:g} follows the rule"
    return ""


def _copied(one: Interval, rule: str, intervals: Sequence[Interval]) -> list[str]:
    """Another model whose sound row has the very same P."""
    label = one.row["row"].split(",")[0]
    for other in intervals:
        same = other.row["row"].split(",")[0] == label and other is not one
        if same and other.row["p"] == one.row["p"] and "<" not in one.row["p"]:
            return [f"P {one.row['p']} is that of model {other.row['model']}"]
    return []


def _univariable_se(row: Row) -> float:
    levels = feature_counts()[row["variable"]]
    return log_odds_ratio(
        splits(levels[row["level"]], levels[row["reference"]], int(row["model"]))
    )[1]


def _coefficients(rows: Sequence[Row]) -> list[Cell]:
    return [
        Cell(
            row=f"all rows, model {model}",
            item="beta and P",
            published=f"{sum(row['model'] == model for row in rows)} of each",
            status="not recomputable",
            convention="needs the joint distribution of the features, or the patients",
        )
        for model in ("1", "2", "3")
    ]


def _literally(one: Interval) -> str:
    z = one.beta / (one.half / Z)
    return (
        f"Read as a true 95% interval, {one.row['low']} to {one.row['high']} of "
        f"{one.row['row'].replace(' multivariable,', '')} would mean P {2 * stats.norm.sf(z):.0e}, "
        f"not {one.row['p']}."
    )


def _events(rows: Sequence[Row]) -> str:
    terms = sum(row["model"] == "1" for row in rows)
    events = int(rows[0]["n_mutant"])
    return (
        f"All {terms} terms stand in every model, so no stepwise elimination is visible; models 1 "
        f"and 2 have {events}/{terms} = {events / terms:.1f} events per term."
    )

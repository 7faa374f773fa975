"""Single figures: ranges by definition, and shares that must be k of n patients."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Literal

from idhray.stats.audit.findings import Check, Finding, each, finding
from idhray.stats.audit.printed_number import READING_TEXTS, PrintedNumber
from idhray.stats.audit.reported import NUMBERS, RATIOS, SHARES, WITHIN_1, ReportedRow

Share = Literal["sensitivity", "specificity", "accuracy"]
PATIENTS: dict[Share, str] = {  # column -> property with its number of patients, and their name
    "sensitivity": "mutants",
    "specificity": "wildtypes",
    "accuracy": "cases",
}
IN_RANGE = "figures lie in their range"
NEGATIVE = "odds ratios and other ratios are positive"
SWAPPED = "sensitivity and specificity are not exchanged"


def outside_range(row: ReportedRow) -> Iterator[Finding]:
    """Shares and P values outside 0..1, kappas outside -1..1; for ends of intervals a remark."""
    for name in SHARES:
        share = getattr(row, name)
        if share is None or 0 <= share.value <= 1:
            continue
        is_end = name.endswith(("_low", "_high"))
        yield finding(
            row,
            IN_RANGE,
            "remark" if is_end else "impossible",
            printed=f"{name} {share.text}",
            reason="it lies between 0 and 1",
            fits="a symmetric interval that passes 0 or 1 is cut there" if is_end else "",
        )
    for name in NUMBERS if row.scale in WITHIN_1 else ():
        number = getattr(row, name)
        if number is not None and abs(number.value) > 1:
            yield finding(
                row,
                IN_RANGE,
                "impossible" if name == "estimate" else "remark",
                printed=f"{row.scale}: {name} {number.text}",
                reason="it lies between -1 and 1",
            )
    if row.p is not None and not 0 <= row.p.number.value <= 1:
        reason = "a P value lies between 0 and 1"
        yield finding(row, IN_RANGE, "impossible", printed=f"P {row.p.text}", reason=reason)


def negative_ratio(row: ReportedRow) -> Iterator[Finding]:
    """Negative ratios of odds, risks or hazards; their logarithms may be negative."""
    numbers = [(name, getattr(row, name)) for name in NUMBERS]
    negative = [f"{name} {number.text}" for name, number in numbers if number and number.value < 0]
    if row.scale in RATIOS and negative:
        yield finding(
            row,
            NEGATIVE,
            "impossible",
            printed=f"{row.scale}: {', '.join(negative)}",
            reason="a ratio of odds, risks, hazards or likelihoods is never negative",
            fits=f"a beta (log {row.scale}) under the wrong name",
        )


def share_rule(name: Share) -> str:
    """The name of the rule for one column."""
    return f"{name} is k of n {PATIENTS[name]}"


def impossible_share(name: Share, row: ReportedRow) -> Iterator[Finding]:
    """A share that no number of patients gives; a remark where digits were cut off."""
    share: PrintedNumber = getattr(row, name)
    patients = PATIENTS[name]
    n: int = getattr(row, patients)
    if not 0 <= share.value <= 1 or (name != "accuracy" and is_swapped(row)):
        return  # other rules report ranges and exchanged columns
    ks = share.counts(n * row.runs)
    exact = Fraction(ks[0], n * row.runs) if n and ks else None
    reading = None if exact is None else share.reading(exact)
    if reading == "rounded":
        return
    fits = ""
    if n == 0:
        reason = f"there are no {patients}"
    elif exact is None or reading is None:
        reason = f"no number of {n} {patients} prints {share.text}{row.mean_text}"
        reason += ", rounded or cut off"
        fits = nearest_shares(share, n * row.runs)
    else:
        reason = f"{exact.numerator}/{exact.denominator}" if row.runs > 1 else f"{ks[0]}/{n}"
        reason += f" rounds to {share.like(exact)}; {READING_TEXTS[reading]}"
    yield finding(
        row,
        share_rule(name),
        "remark" if reading else "impossible",
        printed=f"{name} {share.text} of {n} {patients}",
        reason=reason,
        fits=fits,
    )


def nearest_shares(share: PrintedNumber, n: int) -> str:
    """The shares of n on either side of a printed one: `6/11 is 54.5%, 7/11 is 63.6%`."""
    below = min(int(share.value * n), n)
    return ", ".join(
        f"{k}/{n} is {share.like(Fraction(k, n))}" for k in sorted({below, min(below + 1, n)})
    )


def is_swapped(row: ReportedRow) -> bool:
    """True if both shares are possible only with the two columns exchanged."""
    sensitivity, specificity = row.sensitivity, row.specificity
    mutants, wildtypes = row.mutants, row.wildtypes
    if not (sensitivity and specificity and mutants and wildtypes):
        return False
    mutants, wildtypes = mutants * row.runs, wildtypes * row.runs
    straight = sensitivity.counts(mutants) and specificity.counts(wildtypes)
    crossed = sensitivity.counts(wildtypes) and specificity.counts(mutants)
    return bool(crossed) and not straight


def swapped_columns(row: ReportedRow) -> Iterator[Finding]:
    """Sensitivity printed under specificity, and the reverse."""
    sensitivity, specificity = row.sensitivity, row.specificity
    mutants, wildtypes = row.mutants, row.wildtypes
    if not (is_swapped(row) and sensitivity and specificity and mutants and wildtypes):
        return
    mutants, wildtypes = mutants * row.runs, wildtypes * row.runs
    columns = ((sensitivity, mutants, "mutants"), (specificity, wildtypes, "wildtypes"))
    wrong = [
        f"no number of {n // row.runs} {patients} prints {share.text}{row.mean_text}"
        for share, n, patients in columns
        if not share.counts(n)
    ]
    tp, tn = specificity.counts(mutants)[0], sensitivity.counts(wildtypes)[0]
    yield finding(
        row,
        SWAPPED,
        "impossible",
        printed=f"sensitivity {sensitivity.text}, specificity {specificity.text}",
        reason="; ".join(wrong),
        fits=(
            f"exchanged: sensitivity {specificity.text} is {tp} of {mutants} mutants, "
            f"specificity {sensitivity.text} is {tn} of {wildtypes} wildtypes"
        ),
    )


def _always_attainable(name: Share, row: ReportedRow) -> bool:
    """With more patients than steps from 0 to 1, every printed share is some k of n."""
    share: PrintedNumber = getattr(row, name)
    return bool(getattr(row, PATIENTS[name]) * row.runs * share.unit >= 1)


def _swap_is_invisible(row: ReportedRow) -> bool:
    """With classes of one size, or many patients, either order is possible."""
    ordered = _always_attainable("sensitivity", row) and _always_attainable("specificity", row)
    return row.mutants == row.wildtypes or ordered


CHECKS = (
    Check(rule=IN_RANGE, applies_to=(), find=each(outside_range)),
    Check(rule=NEGATIVE, applies_to=("estimate", "scale"), find=each(negative_ratio)),
    *(
        Check(
            rule=share_rule(name),
            applies_to=(name,),
            needs=(patients, "one_fold"),
            find=each(partial(impossible_share, name)),
            cannot_fail=partial(_always_attainable, name),
        )
        for name, patients in PATIENTS.items()
    ),
    Check(
        rule=SWAPPED,
        applies_to=("sensitivity", "specificity"),
        needs=("mutants", "wildtypes", "one_fold"),
        find=each(swapped_columns),
        cannot_fail=_swap_is_invisible,
    ),
)

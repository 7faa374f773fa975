"""Shares in print must be k of n patients: sensitivity of the mutants, and so on."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Literal

from idhray.stats.audit.findings import Check, Finding, each, finding
from idhray.stats.audit.printed_number import PrintedNumber
from idhray.stats.audit.reported import ReportedRow

Share = Literal["sensitivity", "specificity", "accuracy"]
OF: dict[Share, tuple[str, str]] = {  # column -> (property that holds its patients, their name)
    "sensitivity": ("mutants", "mutants"),
    "specificity": ("wildtypes", "wildtypes"),
    "accuracy": ("cases", "cases"),
}
SWAPPED = "sensitivity and specificity are not exchanged"


def share_rule(name: Share) -> str:
    """The name of the rule for one column."""
    return f"{name} is k of n {OF[name][1]}"


def impossible_share(name: Share, row: ReportedRow) -> Iterator[Finding]:
    """A share that no number of patients gives; a remark where digits were cut off."""
    share: PrintedNumber = getattr(row, name)
    n: int = getattr(row, OF[name][0])
    who = OF[name][1]
    if not 0 <= share.value <= 1 or (name != "accuracy" and is_swapped(row)):
        return  # said by the rules of ranges and of exchanged columns
    ks = share.counts(n)
    if n and ks and share.reading(Fraction(ks[0], n)) == "rounded":
        return
    if n == 0:
        reason, fits = f"there are no {who}", ""
    elif not ks:
        reason = f"no number of {n} {who} prints {share.text}, rounded or cut off"
        fits = nearest_shares(share, n)
    else:
        exact = share.like(Fraction(ks[0], n))
        reason, fits = f"{ks[0]}/{n} rounds to {exact}; its digits were cut off", ""
    yield finding(
        row,
        share_rule(name),
        "remark" if n and ks else "impossible",
        printed=f"{name} {share.text} of {n} {who}",
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
    """Whether sensitivity is a share of the wildtypes and specificity of the mutants, only so."""
    sensitivity, specificity = row.sensitivity, row.specificity
    mutants, wildtypes = row.mutants, row.wildtypes
    if not (sensitivity and specificity and mutants and wildtypes):
        return False
    straight = sensitivity.counts(mutants) and specificity.counts(wildtypes)
    crossed = sensitivity.counts(wildtypes) and specificity.counts(mutants)
    return bool(crossed) and not straight


def swapped_columns(row: ReportedRow) -> Iterator[Finding]:
    """Sensitivity printed under specificity, and the reverse."""
    sensitivity, specificity = row.sensitivity, row.specificity
    mutants, wildtypes = row.mutants, row.wildtypes
    if not (is_swapped(row) and sensitivity and specificity and mutants and wildtypes):
        return
    sides = ((sensitivity, mutants, "mutants"), (specificity, wildtypes, "wildtypes"))
    wrong = [f"no number of {n} {who} prints {s.text}" for s, n, who in sides if not s.counts(n)]
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
    return bool(getattr(row, OF[name][0]) * share.unit >= 1)


def _swap_is_invisible(row: ReportedRow) -> bool:
    """With classes of one size, or many patients, either order is possible."""
    ordered = _always_attainable("sensitivity", row) and _always_attainable("specificity", row)
    return row.mutants == row.wildtypes or ordered


CHECKS = (
    *(
        Check(
            rule=share_rule(name),
            given=(name,),
            needs=(patients,),
            find=each(partial(impossible_share, name)),
            blind=partial(_always_attainable, name),
        )
        for name, (patients, _) in OF.items()
    ),
    Check(
        rule=SWAPPED,
        given=("sensitivity", "specificity"),
        needs=("mutants", "wildtypes"),
        find=each(swapped_columns),
        blind=_swap_is_invisible,
    ),
)

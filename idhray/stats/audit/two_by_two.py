"""Figures of one confusion matrix that must agree: class sizes, accuracy, predictive values."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product

from idhray.stats.audit.findings import Check, Finding, ReportedRows, each, finding
from idhray.stats.audit.printed_number import PrintedNumber
from idhray.stats.audit.reported import ReportedRow
from idhray.stats.audit.shares import is_swapped

CLASS_SIZES = "n is the sum of both classes"
ACCURACY = "accuracy follows from sensitivity and specificity"
BETWEEN = "accuracy lies between sensitivity and specificity"
COUNT = "accuracy is its count"
PREDICTIVE = "predictive values follow from sensitivity and specificity"

Ends = tuple[Fraction, Fraction]  # lowest and highest number of patients


def class_sizes(rows: ReportedRows, table: ReportedRows) -> Iterator[Finding]:
    """Rows whose class sizes do not add up to n; the group's shares tell which may be right."""
    for row in rows:
        n, m, w = row.n, row.n_mutant, row.n_wildtype
        if n is None or m is None or w is None or n == m + w:
            continue
        group = [other for other in table if row.group and (other.group, other.n) == (row.group, n)]
        candidates = [(n, m, n - m), (n, n - w, w), (m + w, m, w)]
        fitting = [
            sizes
            for sizes in candidates
            if min(sizes) >= 0 and all(_shares_fit(other, *sizes) for other in (row, *group))
        ]
        yield finding(
            row,
            CLASS_SIZES,
            "contradiction",
            printed=f"n {n}, {m} mutant, {w} wildtype",
            reason=f"{m} + {w} is {m + w}, not {n}",
            fits=", or ".join(f"{n} = {m} + {w}" for n, m, w in fitting),
        )


def _shares_fit(row: ReportedRow, n: int, m: int, w: int) -> bool:
    shares = ((row.accuracy, n), (row.sensitivity, m), (row.specificity, w))
    return all(bool(share.counts(size * row.runs)) for share, size in shares if share is not None)


def patients_behind(share: PrintedNumber, n: int) -> Ends:
    """Lowest and highest number of n patients behind a share; fractions if no count fits."""
    if ks := share.counts(n):
        return Fraction(ks[0]), Fraction(ks[-1])
    low, high = share.value - share.unit / 2, share.value + share.unit
    return max(low, Fraction(0)) * n, min(high, Fraction(1)) * n


def true_counts(row: ReportedRow) -> tuple[Ends, Ends] | None:
    """True positives and true negatives, lowest and highest; exchanged columns are put back.

    For means of repeats they are the sums over all repeats.
    """
    sensitivity, specificity = row.sensitivity, row.specificity
    m, w = row.mutants, row.wildtypes
    if not (sensitivity and specificity and m and w) or row.cases != m + w:
        return None
    if is_swapped(row):
        sensitivity, specificity = specificity, sensitivity
    return patients_behind(sensitivity, m * row.runs), patients_behind(specificity, w * row.runs)


def accuracy_from_classes(row: ReportedRow) -> Iterator[Finding]:
    """Accuracies or their counts that differ from (TP + TN) / n."""
    counts, n = true_counts(row), row.cases
    if counts is None or not n:
        return
    (tp_low, tp_high), (tn_low, tn_high) = counts
    n *= row.runs
    low, high = tp_low + tn_low, tp_high + tn_high
    wrong = []
    if row.accuracy is not None:
        least, most = patients_behind(row.accuracy, n)
        wrong += [row.accuracy.text] if most < low or least > high else []
    if row.accuracy_count is not None and row.accuracy_count[1] == n:
        right = row.accuracy_count[0]
        wrong += [f"{right}/{n}"] if not low <= right <= high else []
    if wrong:
        yield finding(
            row,
            ACCURACY,
            "contradiction",
            printed=f"{row.point_text}, accuracy {', '.join(wrong)}",
            reason=(
                f"{'exchanged, ' if is_swapped(row) else ''}these shares of {row.mutants} mutants "
                f"and {row.wildtypes} wildtypes are {_sum(*counts)} right of {n}{row.mean_text}"
            ),
            fits=_accuracies(row, low, high, n),
        )


def _sum(tp: Ends, tn: Ends) -> str:
    low, high = tp[0] + tn[0], tp[1] + tn[1]
    if low == high:
        return f"{tp[0]} + {tn[0]} = {low}"
    return " to ".join(sorted({f"{float(low):.1f}", f"{float(high):.1f}"}))


def _accuracies(row: ReportedRow, low: Fraction, high: Fraction, n: int) -> str:
    """The accuracies that these shares allow, and a note if the mean of both was printed."""
    like = row.accuracy or row.sensitivity
    if not (like and row.sensitivity and row.specificity):
        return ""
    ends = sorted({like.like(low / n), like.like(high / n)})
    text = f"accuracy {' to '.join(ends)}"
    mean = (row.sensitivity.value + row.specificity.value) / 2
    if row.accuracy is not None and row.accuracy.reading(mean):
        text += f"; {row.accuracy.text} is the mean of both shares (balanced accuracy)"
    return text


def accuracy_between(row: ReportedRow) -> Iterator[Finding]:
    """Accuracies outside sensitivity and specificity, of which they are a weighted mean."""
    sensitivity, specificity, accuracy = row.sensitivity, row.specificity, row.accuracy
    if not (sensitivity and specificity and accuracy) or true_counts(row) is not None:
        return  # with class sizes `accuracy_from_classes` says more
    spans = [sensitivity.span(), specificity.span()]
    low, high = accuracy.span()
    if high < min(span[0] for span in spans) or low > max(span[1] for span in spans):
        yield finding(
            row,
            BETWEEN,
            "impossible",
            printed=f"{row.point_text}, accuracy {accuracy.text}",
            reason="accuracy is a weighted mean of the two, whatever the number of patients",
        )


def accuracy_count(row: ReportedRow) -> Iterator[Finding]:
    """Counts such as 37/44 that are not out of n, or print as another accuracy."""
    if row.accuracy_count is None:
        return
    right, total = row.accuracy_count
    text = f"accuracy {right}/{total}"
    if right > total or total == 0:
        reason = "more are right than there are cases" if total else "there are no cases"
        yield finding(row, COUNT, "impossible", printed=text, reason=reason)
        return
    if row.cases is not None and total not in (row.cases, row.cases * row.runs):
        reason = f"the count is out of {total}, the row is about {row.cases} cases"
        printed = f"{text}, n {row.cases}"
        yield finding(row, COUNT, "contradiction", printed=printed, reason=reason)
    share = Fraction(right, total)
    if row.accuracy is not None and row.accuracy.reading(share) is None:
        ks = row.accuracy.counts(total)
        yield finding(
            row,
            COUNT,
            "contradiction",
            printed=f"{text}, accuracy {row.accuracy.text}",
            reason=f"{right}/{total} is {row.accuracy.like(share)}",
            fits=f"{row.accuracy.text} is {ks[0]}/{total}" if ks else "",
        )


def predictive_values(row: ReportedRow) -> Iterator[Finding]:
    """PPV and NPV that the counts behind sensitivity and specificity do not give."""
    counts, m, w = true_counts(row), row.mutants, row.wildtypes
    if counts is None or m is None or w is None:
        return
    for name, share in (("ppv", row.ppv), ("npv", row.npv)):
        values = [
            value
            for tp, tn in product(*counts)
            if (value := _predictive(name, tp, tn, m, w)) is not None
        ]
        if share is None or not values:
            continue
        low, high = min(values), max(values)
        # With one possible value the rounding is exact; with more, the printed span must reach it.
        least, most = (Fraction(end) for end in share.span())
        fits = bool(share.reading(low)) if low == high else least <= high and most >= low
        if not fits:
            ends = " to ".join(sorted({share.like(low), share.like(high)}))
            yield finding(
                row,
                PREDICTIVE,
                "contradiction",
                printed=f"{row.point_text}, {name} {share.text}",
                reason=f"with {m} mutants and {w} wildtypes the {name} is {ends}",
                fits="another prevalence than that of the sample would have to be named",
            )


def _predictive(name: str, tp: Fraction, tn: Fraction, m: int, w: int) -> Fraction | None:
    """PPV or NPV; None where nobody was called mutant, or wildtype."""
    right, wrong = (tp, w - tn) if name == "ppv" else (tn, m - tp)
    return right / (right + wrong) if right + wrong else None


CHECKS = (
    Check(rule=CLASS_SIZES, applies_to=("n", "n_mutant", "n_wildtype"), find=class_sizes),
    Check(
        rule=ACCURACY,
        applies_to=("any_accuracy",),
        needs=("sensitivity", "specificity", "mutants", "wildtypes", "one_fold"),
        find=each(accuracy_from_classes),
    ),
    Check(
        rule=BETWEEN,
        applies_to=("sensitivity", "specificity", "accuracy"),
        needs=("one_fold",),
        find=each(accuracy_between),
    ),
    Check(rule=COUNT, applies_to=("accuracy_count",), find=each(accuracy_count)),
    Check(
        rule=PREDICTIVE,
        applies_to=("any_predictive",),
        needs=("sensitivity", "specificity", "mutants", "wildtypes", "one_training"),
        find=each(predictive_values),
    ),
)

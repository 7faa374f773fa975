"""P values that a table of counts may have been printed with."""

from contextlib import suppress
from functools import lru_cache
from math import isfinite

from idhray.stats.audit.reported import Counts
from idhray.stats.hypothesis.contingency import chi_square, fisher_exact, g_test
from idhray.stats.sample import SampleError

PEARSON, YATES, FISHER, LIKELIHOOD = "Pearson", "Yates", "Fisher", "likelihood ratio"
_MOST_2_X_2, _MOST_2_COLUMNS, _MOST_LARGER = 20_000, 300, 150  # cases: a second or so each


@lru_cache(maxsize=1024)
def p_values(counts: Counts) -> dict[str, float]:
    """P by the name of its test; without Fisher where the table is too large, empty if no P exists.

    Yates' correction and Fisher's test are among them as papers seldom say which they used.
    """
    tests = {PEARSON: chi_square(counts).p, LIKELIHOOD: g_test(counts).p}
    two_by_two = len(counts) == len(counts[0]) == 2
    if two_by_two:
        tests[YATES] = chi_square(counts, yates=True).p
    two_columns = min(len(counts), len(counts[0])) == 2
    most = _MOST_2_X_2 if two_by_two else _MOST_2_COLUMNS if two_columns else _MOST_LARGER
    if sum(map(sum, counts)) <= most:
        with suppress(SampleError):  # too many tables to enumerate
            tests[FISHER] = fisher_exact(counts).p
    return {name: p for name, p in tests.items() if isfinite(p)}

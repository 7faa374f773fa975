"""McNemar's tests: are two classifiers right equally often on the same patients?

Only discordant patients count: one side calls them right and the other calls them wrong.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError

McNemar = Literal["exact", "mid-P", "chi-square", "chi-square corrected"]
METHOD_NAMES: dict[McNemar, str] = {
    "exact": "McNemar, exact binomial",
    "mid-P": "McNemar, mid-P",
    "chi-square": "McNemar chi-square without continuity correction",
    "chi-square corrected": "McNemar chi-square with continuity correction",
}
_NOBODY = "No patient is discordant: both sides are right and wrong on the same ones."
_FEW = 25  # discordant patients below which the chi-square is doubtful


def discordant_counts(first_right: ArrayLike, second_right: ArrayLike) -> tuple[int, int]:
    """Numbers of patients whom only the first side calls right (b), and only the second (c).

    Args:
        first_right, second_right: (patients,), True or 1 where that side is right.

    Raises:
        SampleError: the lengths differ, there are no patients, or a value is neither right nor
            wrong.
    """
    sides = [np.asarray(side) for side in (first_right, second_right)]
    if sides[0].ndim != 1 or sides[0].shape != sides[1].shape or not len(sides[0]):
        raise SampleError(
            f"McNemar's test pairs the same patients, got shapes {sides[0].shape} and "
            f"{sides[1].shape}"
        )
    if not all(np.isin(side, (0, 1)).all() for side in sides):
        raise SampleError("McNemar's test needs right (1) or wrong (0) for every patient")
    first, second = (side.astype(bool) for side in sides)
    return int((first & ~second).sum()), int((~first & second).sum())


def mcnemar(b: int, c: int, method: McNemar = "exact") -> Significance:
    """The test from the two discordant counts; two-sided, the same for (b, c) and (c, b).

    The statistic is the chi-square; for the two binomial tests it is the smaller count. The
    correction is R's: if b equals c, it leaves 0, and P is 1. The mid-P is the exact P minus the
    probability of the table itself; if b equals c, it is 1 minus half that probability, as
    Fagerland et al. define it (twice the one-sided mid-P would be 1).

    Raises:
        SampleError: a count is negative or fractional, or the method is unknown.

    Source: McNemar 1947; mid-P: Fagerland, Lydersen and Laake 2013 (BMC Med Res Methodol 13:91),
    recommended for small samples; b = c is in its supplement.
    """
    if method not in METHOD_NAMES:
        raise SampleError(f"no McNemar test named {method!r}; use one of {', '.join(METHOD_NAMES)}")
    if min(b, c) < 0 or b != int(b) or c != int(c):
        raise SampleError(f"discordant counts are whole numbers from 0 up; got {b} and {c}")
    if method in ("exact", "mid-P"):
        return _binomial(int(b), int(c), method)
    return _chi_square(int(b), int(c), method)


def mcnemar_paired(
    first_right: ArrayLike, second_right: ArrayLike, method: McNemar
) -> Significance:
    """The test from the right and wrong calls of each side, patient by patient.

    Raises:
        SampleError: the lengths differ, there are no patients, or a value is neither right nor
            wrong.
    """
    return mcnemar(*discordant_counts(first_right, second_right), method)


def _binomial(b: int, c: int, method: McNemar) -> Significance:
    fewer, discordant_patients = min(b, c), b + c
    p = min(2 * float(stats.binom.cdf(fewer, discordant_patients, 0.5)), 1.0)
    if method == "mid-P" and discordant_patients:  # without discordant patients P stays 1
        point_probability = float(stats.binom.pmf(fewer, discordant_patients, 0.5))
        p -= point_probability / 2 if b == c else point_probability
    notes = () if discordant_patients else (_NOBODY,)
    return Significance(method=METHOD_NAMES[method], statistic=fewer, p=p, notes=notes)


def _chi_square(b: int, c: int, method: McNemar) -> Significance:
    if b + c == 0:  # 0/0 is NaN, as in R; the exact test has P = 1
        return Significance(method=METHOD_NAMES[method], p=np.nan, df=1, notes=(_NOBODY,))
    beyond = abs(b - c) if method == "chi-square" else max(abs(b - c) - 1, 0)
    statistic = beyond**2 / (b + c)
    notes: tuple[str, ...] = ()
    if b + c < _FEW:
        notes = (f"{b + c} discordant patients are few for a chi-square: prefer exact or mid-P.",)
    return Significance(
        method=METHOD_NAMES[method],
        statistic=statistic,
        df=1,
        p=float(stats.chi2.sf(statistic, 1)),
        notes=notes,
    )

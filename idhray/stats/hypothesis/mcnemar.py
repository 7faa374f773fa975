"""McNemar's tests: are two classifiers right equally often on the same patients?

Only discordant patients count, those that one side calls right and the other wrong.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from idhray.stats.hypothesis.significance import Significance
from idhray.stats.sample import SampleError

McNemar = Literal["exact", "mid-P", "chi-square", "chi-square corrected"]
NAMES: dict[McNemar, str] = {
    "exact": "McNemar, exact binomial",
    "mid-P": "McNemar, mid-P",
    "chi-square": "McNemar chi-square without continuity correction",
    "chi-square corrected": "McNemar chi-square with continuity correction",
}
_NOBODY = "No patient is discordant: both sides are right and wrong on the same ones."
_FEW = 25  # discordant patients below which the chi-square is doubtful


def discordant(first_right: ArrayLike, second_right: ArrayLike) -> tuple[int, int]:
    """Patients that only the first side calls right (b), and only the second (c).

    Args:
        first_right, second_right: (patients,), True or 1 where that side is right.

    Raises:
        SampleError: unequal lengths, nobody, or a value that is neither right nor wrong.
    """
    sides = [np.asarray(side) for side in (first_right, second_right)]
    if sides[0].ndim != 1 or sides[0].shape != sides[1].shape or not len(sides[0]):
        raise SampleError(
            f"McNemar's test pairs the same patients, got shapes {sides[0].shape} and "
            f"{sides[1].shape}"
        )
    if not all(np.isin(side, (0, 1)).all() for side in sides):
        raise SampleError("McNemar's test needs right (1) or wrong (0) of each patient, no gaps")
    first, second = (side.astype(bool) for side in sides)
    return int((first & ~second).sum()), int((~first & second).sum())


def mcnemar(b: int, c: int, method: McNemar = "exact") -> Significance:
    """The test from the two discordant counts; two-sided, the same for (b, c) and (c, b).

    The statistic is the chi-square, or for the two binomial tests the smaller count. The
    correction is R's: none is left where b equals c, so P is then 1. The mid-P is the exact P less
    the chance of the table itself; where b equals c it is 1 less half that chance, as Fagerland et
    al. define it (twice the one-sided mid-P would be 1 there).

    Raises:
        SampleError: a count is negative or broken, or the method is unknown.

    Source: McNemar 1947; mid-P: Fagerland, Lydersen and Laake 2013 (BMC Med Res Methodol 13:91),
    recommended for small samples; b = c is in its supplement.
    """
    if method not in NAMES:
        raise SampleError(f"no McNemar test named {method!r}; use one of {', '.join(NAMES)}")
    if min(b, c) < 0 or b != int(b) or c != int(c):
        raise SampleError(f"discordant counts are whole numbers from 0 up; got {b} and {c}")
    if method in ("exact", "mid-P"):
        return _binomial(int(b), int(c), method)
    return _chi_square(int(b), int(c), method)


def mcnemar_paired(
    first_right: ArrayLike, second_right: ArrayLike, method: McNemar = "exact"
) -> Significance:
    """The test from what each side got right, patient by patient.

    Raises:
        SampleError: unequal lengths, nobody, or a value that is neither right nor wrong.
    """
    return mcnemar(*discordant(first_right, second_right), method)


def _binomial(b: int, c: int, method: McNemar) -> Significance:
    fewer, either = min(b, c), b + c
    p = min(2 * float(stats.binom.cdf(fewer, either, 0.5)), 1.0)
    if method == "mid-P" and either:  # nobody discordant: P stays 1
        itself = float(stats.binom.pmf(fewer, either, 0.5))
        p -= itself / 2 if b == c else itself
    notes = () if either else (_NOBODY,)
    return Significance(method=NAMES[method], statistic=fewer, p=p, notes=notes)


def _chi_square(b: int, c: int, method: McNemar) -> Significance:
    if b + c == 0:  # 0/0; R gives NaN too, the exact test P = 1
        return Significance(method=NAMES[method], p=np.nan, df=1, notes=(_NOBODY,))
    beyond = abs(b - c) if method == "chi-square" else max(abs(b - c) - 1, 0)
    statistic = beyond**2 / (b + c)
    notes: tuple[str, ...] = ()
    if b + c < _FEW:
        notes = (f"{b + c} discordant patients are few for a chi-square: prefer exact or mid-P.",)
    return Significance(
        method=NAMES[method],
        statistic=statistic,
        df=1,
        p=float(stats.chi2.sf(statistic, 1)),
        notes=notes,
    )

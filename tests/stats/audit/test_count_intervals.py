"""The z behind printed intervals: 1.96 as well as 1.959964."""

from math import exp

import numpy as np
import pytest

from idhray.stats.audit.contrasts import log_odds_ratio, standard_error
from idhray.stats.audit.count_intervals import fitting_intervals

HEADER = "row,scale,estimate,low,high,p,counts"


@pytest.mark.parametrize(
    ("ends", "counts", "fits"),
    [
        pytest.param("3.60,19.08", "9/43; 59/34", ["Wald"], id="by 1.96"),
        pytest.param("3.60,19.07", "9/43; 59/34", ["Wald"], id="by 1.959964"),
        pytest.param("3.60,19.12", "9/43; 59/34", [], id="by another z"),
        pytest.param("2.36,143.31", "41/26; 29/1", ["Wald"], id="a wide one by 1.96"),
        pytest.param("2.3619,143.353", "41/26; 29/1", [], id="not both ends by the same z"),
        pytest.param("0.00,143.31", "41/26; 29/1", [], id="an end that has no logarithm"),
    ],
)
def test_both_ends_are_by_the_same_usual_z(rows_of, ends, counts, fits):
    """Woolf intervals in print."""
    (row,) = rows_of(HEADER, f"A,odds ratio,8.29,{ends},,{counts}")

    assert fitting_intervals(row) == fits


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("z", [1.96, 1.959963985])
def test_woolf_intervals_are_recognized_by_either_z(rows_of, seed, z):
    """30 odds ratios of random counts, with 1 or 2 decimals."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(30):
        counts = rng.integers(1, 60, (2, 2)).tolist()
        beta, se, places = log_odds_ratio(counts), standard_error(counts), rng.integers(1, 3)
        values = (f"{exp(beta + side * z * se):.{places}f}" for side in (0, -1, 1))
        text = "; ".join(f"{w}/{m}" for w, m in counts)
        lines.append(f"A,odds ratio,{','.join(values)},,{text}")

    assert all(fitting_intervals(row) == ["Wald"] for row in rows_of(HEADER, *lines))

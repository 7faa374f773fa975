"""Numbers as text."""

import pytest

from idhray.stats.interface.answer import interval_text
from idhray.stats.text import with_interval


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.835, 1.0, "0.927 (0.835\u20131.000)"),
        (0.927, 0.927, "0.927 (-, variance 0)"),
        (float("nan"), float("nan"), "0.927 (-)"),
    ],
)
def test_an_interval_without_width_is_a_dash_with_its_reason(low, high, text):
    """1.000 (1.000 to 1.000) claims a certainty that no sample has."""
    assert with_interval({"auc": 0.927, "auc_low": low, "auc_high": high}, "auc") == text


def test_a_sentence_says_why_there_is_no_interval():
    """Identical models differ by 0 in each resample."""
    assert interval_text(0.0, 0.0) == "no interval, variance 0"
    assert interval_text(float("nan"), float("nan")) == "no interval"
    assert interval_text(0.1, 0.2) == "95% CI 0.100 to 0.200"

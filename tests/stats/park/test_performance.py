"""Models compared on the same patients, and what the verdict makes of it."""

import numpy as np
import pytest

from idhray.stats.park.performance import MEAN, Judged, comparisons
from idhray.stats.park.verdict import reader_verdict
from idhray.stats.roc import auc_difference


def judged(*, shift_1, shift_3, patients=60, readers=2, seed=0):
    """Patients whom models 1 and 3 score, mutants higher by the shifts; readers alike but noisy."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2
    own = rng.normal(size=patients)
    p = {
        (f"reader {k}", number): 1
        / (1 + np.exp(-(own + shift * (labels - 0.5) + 0.3 * rng.normal(size=patients))))
        for k in range(readers)
        for number, shift in ((1, shift_1), (3, shift_3))
    }
    return Judged(
        split="test",
        age=False,
        patients=tuple(f"P{i}" for i in range(patients)),
        labels=labels,
        p=p,
        thresholds={1: 0.5, 3: 0.5},
    )


def test_one_readers_difference_is_the_paired_delong_of_r_proc():
    """`auc_difference` is checked against pROC; the contrast of areas must be the same test."""
    one = judged(shift_1=0.5, shift_3=1.5)
    row = comparisons([one]).set_index("reader").loc["reader 0"]
    plain = auc_difference(one.labels, one.p["reader 0", 3], one.p["reader 0", 1])

    assert row["difference"] == pytest.approx(plain.difference)
    assert (row["difference_low"], row["difference_high"], row["p"]) == pytest.approx(
        (plain.ci_low, plain.ci_high, plain.p)
    )


def test_the_mean_of_alike_readers_is_one_reader():
    """A second reader who reads alike adds no patient: the interval keeps its width."""
    one = judged(shift_1=0.5, shift_3=1.5, readers=1)
    twin = {**one.p, **{("reader 1", number): p for (_, number), p in one.p.items()}}
    both = Judged(**{**vars(one), "p": twin})
    single = comparisons([one]).iloc[0]
    mean = comparisons([both]).set_index("reader").loc[MEAN]

    assert (mean["difference_low"], mean["p"]) == pytest.approx(
        (single["difference_low"], single["p"])
    )


def test_mcnemar_counts_patients_that_one_model_alone_gets_right():
    """Gains and losses at the fixed thresholds, not accuracies."""
    one = judged(shift_1=0.0, shift_3=3.0)
    row = comparisons([one]).iloc[0]
    right = {n: (one.p["reader 0", n] >= 0.5) == (one.labels == 1) for n in (1, 3)}

    assert row["only_model_right"] == (right[3] & ~right[1]).sum() > 0
    assert row["only_baseline_right"] == (right[1] & ~right[3]).sum()
    assert 60 * (row["accuracy"] - row["accuracy_baseline"]) == pytest.approx(
        row["only_model_right"] - row["only_baseline_right"]
    )


@pytest.mark.parametrize(
    ("shift_1", "shift_3", "answer"),
    [
        pytest.param(0.2, 3.0, "helps", id="helps"),
        pytest.param(3.0, 0.2, "hurts", id="hurts"),
        pytest.param(1.0, 1.1, "this cohort cannot tell", id="cannot tell"),
    ],
)
def test_the_verdict_follows_the_interval(shift_1, shift_3, answer):
    """Helps and hurts need an interval that leaves zero out."""
    one = judged(shift_1=shift_1, shift_3=shift_3)
    found = reader_verdict([one], comparisons([one]))

    assert found.answer == answer
    assert "60 test patients (30 mutant, 30 wildtype)" in found.sentence
    assert ("would usually go unseen" in found.sentence) == (answer == "this cohort cannot tell")


def test_models_that_rank_alike_have_no_interval_and_cannot_tell():
    """The DeLong variance is 0: no interval of one point, no P of 0."""
    one = judged(shift_1=1.0, shift_3=1.0)
    same = Judged(**{**vars(one), "p": {key: one.p[key[0], 1] for key in one.p}})
    table = comparisons([same])
    found = reader_verdict([same], table)

    assert table["p"].isna().all()
    assert found.answer == "this cohort cannot tell"
    assert "no interval: the scores rank all patients alike" in found.sentence

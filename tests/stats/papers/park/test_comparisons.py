"""Models compared on the same patients, and what the verdict makes of it."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from idhray.stats.bootstrap import summary
from idhray.stats.papers.park.comparisons import MEAN, comparison_table
from idhray.stats.papers.park.judged import JudgedSet
from idhray.stats.papers.park.printed import print_comparisons
from idhray.stats.papers.park.training import METHOD
from idhray.stats.papers.park.verdict import reader_verdict
from idhray.stats.roc.area import auc_difference


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
    return JudgedSet(
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
    row = comparison_table([one]).set_index("reader").loc["reader 0"]
    plain = auc_difference(one.labels, one.p["reader 0", 3], one.p["reader 0", 1])

    assert row["difference"] == pytest.approx(plain.difference)
    assert (row["difference_low"], row["difference_high"], row["p"]) == pytest.approx(
        (plain.ci_low, plain.ci_high, plain.p)
    )


def test_the_mean_of_alike_readers_is_one_reader():
    """A second reader who reads alike adds no patient: the interval keeps its width."""
    one = judged(shift_1=0.5, shift_3=1.5, readers=1)
    twin = {**one.p, **{("reader 1", number): p for (_, number), p in one.p.items()}}
    both = JudgedSet(**{**vars(one), "p": twin})
    single = comparison_table([one]).iloc[0]
    mean = comparison_table([both]).set_index("reader").loc[MEAN]

    assert (mean["difference_low"], mean["p"]) == pytest.approx(
        (single["difference_low"], single["p"])
    )


def test_mcnemar_counts_patients_that_one_model_alone_gets_right():
    """Gains and losses at the fixed thresholds, not accuracies."""
    one = judged(shift_1=0.0, shift_3=3.0)
    row = comparison_table([one]).iloc[0]
    right = {n: (one.p["reader 0", n] >= 0.5) == (one.labels == 1) for n in (1, 3)}

    assert row["only_model_right"] == (right[3] & ~right[1]).sum() > 0
    assert row["only_baseline_right"] == (right[1] & ~right[3]).sum()
    assert 60 * (row["accuracy"] - row["accuracy_baseline"]) == pytest.approx(
        row["only_model_right"] - row["only_baseline_right"]
    )


def drawn_around(center, *, spread=0.02, missing=0):
    """A bootstrap of 200 resamples around a difference, some of them without a model."""
    draws = center + spread * np.random.default_rng(0).normal(size=200)
    draws[:missing] = np.nan
    return summary(center, draws, method=METHOD, seed=0, null=0.0)


def verdict(shift_1, shift_3, resampled):
    one = judged(shift_1=shift_1, shift_3=shift_3)
    return reader_verdict(one, comparison_table([one]), resampled)


@pytest.mark.parametrize(
    ("shift_1", "shift_3", "center", "answer"),
    [
        pytest.param(0.2, 3.0, 0.3, "helps", id="helps"),
        pytest.param(3.0, 0.2, -0.3, "hurts", id="hurts"),
        pytest.param(1.0, 1.1, 0.0, "this cohort cannot tell", id="cannot tell"),
        pytest.param(0.2, 3.0, 0.03, "this cohort cannot tell", id="DeLong alone"),
        pytest.param(1.0, 1.1, 0.3, "this cohort cannot tell", id="bootstrap alone"),
    ],
)
def test_the_verdict_needs_both_intervals(shift_1, shift_3, center, answer):
    """Over patients, and over training cases with the choice made anew: both leave zero out."""
    resampled = drawn_around(center)
    found = verdict(shift_1, shift_3, resampled)

    assert found.answer == answer
    assert (found.ci_low, found.ci_high) == (resampled.ci_low, resampled.ci_high)
    assert found.ci_method == METHOD
    assert "60 test patients (30 mutant, 30 wildtype)" in found.sentence
    assert "bootstrap of patients and training cases" in found.sentence
    assert ("would usually go unseen" in found.sentence) == (answer == "this cohort cannot tell")


def test_without_a_bootstrap_no_gain_is_claimed():
    """One fitted pair says nothing of other training cases: the sentence says so."""
    found = verdict(0.2, 3.0, "too few resamples")

    assert found.delong_low > 0
    assert (found.answer, found.ci_method) == ("this cohort cannot tell", "DeLong")
    assert (found.ci_low, found.ci_high) == (found.delong_low, found.delong_high)
    assert "The training cases and the choice of features are not in the interval" in found.sentence
    assert "too few resamples" in found.sentence


def test_resamples_without_a_model_are_counted():
    """They are left out of the interval, and that is said."""
    found = verdict(0.2, 3.0, drawn_around(0.3, missing=20))

    assert (found.resamples, found.without_model) == (200, 20)
    assert "(180 resamples; 20 more, without one of the models, are left out)" in found.sentence


def test_models_that_rank_alike_have_no_interval_and_cannot_tell():
    """The DeLong variance is 0: no interval of one point, no P of 0, and no adjusted P either."""
    one = judged(shift_1=1.0, shift_3=1.0)
    same = JudgedSet(**{**vars(one), "p": {key: one.p[key[0], 1] for key in one.p}})
    table = comparison_table([same])
    found = reader_verdict(same, table, "none")

    assert table["p"].isna().all()
    assert table["p_holm"].isna().all()
    assert found.answer == "this cohort cannot tell"
    assert "no interval: the scores rank all patients alike" in found.sentence
    printed = print_comparisons(table)
    assert printed.frame["P (Holm)"].str.startswith("-\u00a0").all()
    assert "DeLong variance of the difference is 0" in printed.notes[0]


def test_holm_is_over_one_kind_of_test_in_one_set():
    """McNemar's P values of the readers are a family of their own; the mean has none."""
    table = comparison_table([judged(shift_1=0.5, shift_3=1.5)])
    readers = table[table["reader"] != MEAN]

    for name, rows in (("p", table), ("mcnemar_p", readers)):
        adjusted = multipletests(rows[name], method="holm")[1]
        assert rows[f"{name}_holm"].to_numpy() == pytest.approx(adjusted)
    assert table.loc[table["reader"] == MEAN, "mcnemar_p_holm"].isna().all()
    assert (readers["mcnemar_mid_p"] <= readers["mcnemar_p"]).all()

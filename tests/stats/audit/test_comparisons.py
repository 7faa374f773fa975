"""Comparisons of two rows, likelihood ratios, kappas and mean differences."""

import numpy as np
import pytest
from scipy import stats

from idhray.stats.audit.comparisons import COMPARED_P, DIFFERENCE, LIKELIHOOD_RATIO, NAMES_A_ROW
from idhray.stats.roc.area import auc_difference, auc_with_ci
from idhray.stats.sample import Scored
from idhray.stats.text import printed

HEADER = "row,set,repeats,auc,auc_low,auc_high,compared_with,estimate,low,high,scale,p"
BASE = "real,test,,0.823,0.743,0.903,,,,,,"


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        pytest.param("0.853,0.783,0.923,real,,,,,0.31", [], id="P that fits"),
        pytest.param("0.830,0.754,0.906,real,,,,,<0.001", [COMPARED_P], id="P far too small"),
        pytest.param("0.990,0.980,1.000,real,,,,,0.90", [COMPARED_P], id="P far too large"),
        pytest.param("0.853,0.783,0.923,real,0.030,-0.03,0.09,AUC difference,0.33", [], id="sound"),
        pytest.param(
            "0.853,0.783,0.923,real,0.050,-0.01,0.11,AUC difference,0.10", [DIFFERENCE], id="off"
        ),
    ],
)
def test_a_comparison_follows_from_both_rows(audit_of, line, rules):
    """The difference is that of the areas; P fits some correlation between -1 and .99."""
    found = audit_of(HEADER, BASE, f"more,test,,{line}")

    assert [one.rule for one in found.findings] == rules


def test_p_of_a_comparison_is_not_p_against_a_half(audit_of):
    """Without the column it would be: .85 to .92 excludes .5, and P is .31."""
    lines = [BASE, "more,test,,0.853,0.783,0.923,{},,,,,0.31"]
    alone = audit_of(HEADER, *(line.format("") for line in lines))
    compared = audit_of(HEADER, *(line.format("real") for line in lines))

    assert [one.rule for one in alone.findings] == ["AUC interval agrees with P"]
    assert compared.findings == ()


def test_a_row_that_is_not_there_is_a_remark(audit_of):
    """Its comparison was not checked."""
    found = audit_of(HEADER, BASE, "more,test,,0.853,0.783,0.923,none,,,,,0.31")

    assert [one.rule for one in found.remarks] == [NAMES_A_ROW]


@pytest.mark.parametrize("seed", range(5))
def test_sound_comparisons_are_silent(audit_of, seed):
    """DeLong's P of two classifiers of the same patients, of correlation 0 to .95."""
    rng = np.random.default_rng(seed)
    for _ in range(15):
        labels = np.repeat([1, 0], rng.integers(15, 80, 2))
        common, share = rng.normal(size=len(labels)), rng.uniform(0, 0.95)
        scores = [
            share * common + (1 - share) * rng.normal(size=len(labels)) + labels * gain
            for gain in rng.uniform(0.5, 1.2, 2)
        ]
        lines = []
        for name, values in zip(("real", "more"), scores, strict=True):
            area = auc_with_ci(Scored(labels, values))
            lines.append(",".join([name, "test", "", *map(printed, _ends(area))]))
        pair = auc_difference(labels, scores[1], scores[0])
        p = "<0.001" if pair.p < 0.001 else printed(pair.p)
        difference = ",".join(map(printed, (pair.difference, pair.ci_low, pair.ci_high)))
        wide = [f"{lines[0]},,,,,,", f"{lines[1]},real,{difference},AUC difference,{p}"]
        short = [wide[0], f"{lines[1]},real,,,,,{p}"]

        assert audit_of(HEADER, *wide).findings == ()
        assert audit_of(HEADER, *short).findings == ()


def _ends(area):
    return area.auc, area.ci_low, area.ci_high


@pytest.mark.parametrize(
    ("line", "severities"),
    [
        pytest.param("0.722,0.813,LR+,3.85,1.37,10.8", [], id="13/18 and 13/16"),
        pytest.param("0.722,0.813,LR-,0.34,0.16,0.72", [], id="its negative one"),
        pytest.param("0.722,0.813,LR+,0.34,0.16,0.72", ["contradiction"], id="under a wrong name"),
        pytest.param("0.722,1.000,LR+,25.1,1.6,389", [], id="0.5 added to an empty cell"),
        pytest.param("0.722,0.813,LR-,-0.34,-0.5,0.1", ["impossible", "contradiction"], id="sign"),
    ],
)
def test_a_likelihood_ratio_follows_from_its_point(audit_of, line, severities):
    """Sensitivity / (1 - specificity); by printed digits it has no upper limit near 1."""
    header = "row,sensitivity,specificity,scale,estimate,low,high"
    found = audit_of(header, f"A,{line}")

    assert [one.severity for one in found.findings] == severities
    if severities == ["contradiction"]:
        assert found.findings[0].rule == LIKELIHOOD_RATIO


@pytest.mark.parametrize(
    ("line", "severities"),
    [
        pytest.param("kappa,0.67,0.55,0.79,<0.001", [], id="kappa"),
        pytest.param("kappa,1.20,0.55,0.79,", ["impossible", "impossible"], id="kappa above 1"),
        pytest.param("kappa,0.10,-0.2,0.4,<0.001", ["suspicious"], id="kappa and its P"),
        pytest.param("kappa,0.67,0.30,0.72,", ["suspicious"], id="kappa, lopsided"),
        pytest.param("mean difference,12.4,5.1,19.7,0.001", [], id="mean difference"),
        pytest.param("mean difference,12.4,5.1,19.7,0.31", ["contradiction"], id="and its P"),
        pytest.param("mean difference,12.4,15.1,19.7,", ["impossible"], id="outside"),
        pytest.param("AUC difference,-1.2,-1.3,-1.1,", ["impossible"], id="below -1"),
    ],
)
def test_kappas_and_differences_have_the_rules_of_every_estimate(audit_of, line, severities):
    """Order, symmetry, P, and the range of the scale."""
    found = audit_of("row,scale,estimate,low,high,p", f"A,{line}")

    assert [one.severity for one in found.findings] == severities
    assert not any("odds ratio" in one.fits for one in found.findings)


def test_the_interval_of_a_mean_difference_by_t_agrees_with_its_p(audit_of):
    """Few patients: 1.96 stands for a quantile of t."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        new, old = (rng.normal(gain, 1, 8) for gain in (rng.uniform(0, 2), 0))
        test = stats.ttest_ind(new, old)
        ends = test.confidence_interval()
        numbers = ",".join(printed(x, 2) for x in (new.mean() - old.mean(), ends.low, ends.high))
        p = "<0.001" if test.pvalue < 0.001 else printed(test.pvalue)
        found = audit_of("row,scale,estimate,low,high,p", f"A,mean difference,{numbers},{p}")

        assert found.count("contradiction") == found.count("impossible") == 0

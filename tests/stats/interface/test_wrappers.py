"""Wrappers of the API hand on what the statistics say, in the columns that they promise."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats import api
from idhray.stats.hypothesis import contingency
from idhray.stats.regression.design import Covariate, Factor
from idhray.stats.regression.logistic import fit_logistic
from idhray.stats.roc.delong import components
from idhray.stats.sample import SampleError
from tests.stats.interface.test_api import patients


def test_a_paired_difference_is_delongs():
    """The difference and its error from the components of both scores."""
    p = patients()
    truth = (p["idh"] == "mutant").to_numpy().astype(int)
    new, old = (components(truth, p[[name]].to_numpy().T) for name in ("p", "rival"))
    parts = [(a - b).ravel() for a, b in zip(new, old, strict=True)]
    row = api.auc_difference(p["idh"], p["p"], p["rival"]).frame().iloc[0]

    assert row["difference"] == pytest.approx(parts[0].mean())
    assert row["se"] == pytest.approx(np.sqrt(sum(x.var(ddof=1) / len(x) for x in parts)))
    with pytest.raises(SampleError, match="use compare_arms"):
        api.auc_difference(p["idh"], np.tile(p["p"], (2, 1)), p["rival"])


def test_accuracy_counts_by_hand():
    """Three mutants and two wildtypes at .5: one of each is called wrong."""
    truth, scores = ["mutant"] * 3 + ["wildtype"] * 2, [0.9, 0.5, 0.4, 0.6, 0.1]
    table = api.diagnostic_accuracy(truth, scores, threshold=0.5).frame().set_index("measure")

    assert table.loc[
        ["sensitivity", "specificity", "accuracy", "ppv", "npv"], "value"
    ].tolist() == (pytest.approx([2 / 3, 1 / 2, 3 / 5, 2 / 3, 1 / 2]))
    assert table.loc["lr_positive", "value"] == pytest.approx(4 / 3)


def test_a_regression_takes_a_column_or_an_array():
    """The terms are those of the fit, on the scale of odds."""
    p = patients()
    factor = {"margin": ["blurred", "clear"]}
    by_name = api.logistic_regression(p, "idh", numeric=["age"], categorical=factor)
    by_array = api.logistic_regression(p, p["idh"], numeric=["age"], categorical=factor)
    predictors = [Covariate(name="age"), Factor(name="margin", levels=("blurred", "clear"))]
    fit = fit_logistic(p, (p["idh"] == "mutant").astype(int), predictors)

    pd.testing.assert_frame_equal(by_name.frame(), by_array.frame())
    assert by_name.frame()["odds_ratio"].tolist() == pytest.approx(np.exp(fit.beta).tolist())
    with pytest.raises(SampleError, match="no column grade"):
        api.logistic_regression(p, "idh", numeric=["grade"])


def test_tests_of_tables_are_passed_on():
    """Counts may come as lists or from pandas."""
    counts = [[12, 5], [3, 14]]

    assert api.fisher_exact(pd.DataFrame(counts)).figures == contingency.fisher_exact(counts)
    assert api.chi_square(counts, yates=True).figures == contingency.chi_square(counts, yates=True)
    assert api.mcnemar([1, 1, 0, 1], [1, 0, 0, 0]).frame()["p"].item() == 0.5


def test_a_table_1_keeps_the_order_of_categories():
    """A grade is not sorted by its spelling, and a patient without a group is counted."""
    p = patients()
    order = ["wildtype", "mutant"]
    p["idh"] = pd.Categorical(p["idh"].where(p.index > 0), categories=order)
    answer = api.table_1(p, group="idh", continuous=["age"], categorical=["margin"])

    assert list(answer.figures[0].groups) == order
    assert "1 patients without idh are left out" in answer.summary()


def test_a_kappa_needs_readings_of_the_same_cases():
    """Lists of unequal lengths cannot be of the same cases."""
    with pytest.raises(SampleError, match="got 2 and 3"):
        api.cohen_kappa(["a", "b"], ["a", "b", "a"])

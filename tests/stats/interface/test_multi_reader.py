"""Readings through the API: the published ones of Van Dyke et al., and broken tables."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.api import auc, mrmc
from idhray.stats.sample import SampleError
from tests.stats.interface.test_api import readings

SAMPLING = {
    "random_readers_random_cases": {},
    "fixed_readers_random_cases": {"readers": "fixed"},
    "random_readers_fixed_cases": {"cases": "fixed"},
}


@pytest.mark.parametrize("covariance", ["DeLong", "jackknife"])
@pytest.mark.parametrize("block", SAMPLING)
def test_vandyke_through_the_api_is_mrmcaov(mrmc_reference, block, covariance):
    """MRMCaov 0.3.0, all frames, whatever the order of the rows and the words for truth."""
    table = mrmc_reference("vandyke.csv").sample(frac=1, random_state=1)
    table["truth"] = table["truth"].map({1: "mutant", 0: "wildtype"})
    reference = mrmc_reference("vandyke.json")
    answer, result = (
        reference[covariance][block],
        mrmc(table, covariance=covariance.lower(), **SAMPLING[block]),
    )
    difference, equality = answer["differences"][0], answer["equality"][0]
    row, test = result.frame().iloc[0], result.equality_frame().iloc[0]

    assert row["comparison"] == difference["Comparison"]
    assert row[["estimate", "se", "p", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [difference["Estimate"], difference["StdErr"], difference["p-value"], *difference["CI"]],
        abs=1e-9,
    )
    assert row["df"] == pytest.approx(difference.get("df", np.inf), rel=1e-9)
    assert test["statistic"] == pytest.approx(equality.get("F", equality.get("X2")), rel=1e-9)
    assert test["p"] == pytest.approx(equality["p-value"], abs=1e-9)
    for mean, expected in zip(result.means_frame().itertuples(), answer["means"], strict=True):
        assert (mean.auc, mean.se, mean.ci_low, mean.ci_high) == pytest.approx(
            (expected["Estimate"], expected["StdErr"], *expected["CI"]), abs=1e-9
        )
    assert result.components_frame()["estimate"].tolist() == pytest.approx(
        [part["Estimate"] for part in answer["components"] or []], abs=1e-9
    )
    areas = result.areas_frame()
    for area in reference["areas"]:
        assert areas.loc[area["reader"], area["treatment"]] == pytest.approx(area["empirical_auc"])


def test_the_summary_tells_the_design_and_the_answer():
    """A text that leaves out what is fixed would be read as a claim about all readers."""
    text = mrmc(readings(), cases="fixed").summary()

    assert "2 random readers, 4 mutant and 4 wildtype fixed cases" in text
    assert "Test of equality: F = " in text
    assert "CT - MRI: " in text


def test_the_area_of_a_reader_is_delongs():
    """A reader alone is the plain analysis of one score."""
    table = readings()
    row = mrmc(table).readers_frame().iloc[1]
    alone = table[(table["treatment"] == "CT") & (table["reader"] == "b")]
    area = auc(alone["truth"], alone["rating"]).figures

    assert (row["treatment"], row["reader"]) == ("CT", "b")
    assert row[["auc", "se", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [area.auc, area.se, area.ci_low, area.ci_high]
    )


def test_three_treatments_are_compared_in_pairs_without_adjustment():
    """Three P values at 5% are wrong together more often; the reader of a table must know."""
    table = readings()
    third = table[table["treatment"] == "CT"].assign(treatment="PET")
    answer = mrmc(pd.concat([table, third]))

    assert answer.frame()["comparison"].tolist() == ["CT - MRI", "CT - PET", "MRI - PET"]
    assert "3 differences: their P values are not adjusted" in answer.summary()


def test_columns_may_have_other_names():
    """The table of another program is not renamed first."""
    other = readings().rename(columns={"treatment": "modality", "rating": "score"})
    result = mrmc(other, treatment="modality", rating="score")

    pd.testing.assert_frame_equal(result.frame(), mrmc(readings()).frame())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.iloc[1:], "1 of 32 readings are missing, such as", id="gap"),
        pytest.param(lambda t: pd.concat([t, t.iloc[:1]]), "1 readings are repeated", id="twice"),
        pytest.param(
            lambda t: t.assign(rating=t["rating"].where(t.index > 0)), "empty cell", id="NaN"
        ),
        pytest.param(
            lambda t: t.assign(truth=t["truth"].where(t.index > 0, 1)), "two truths", id="truths"
        ),
        pytest.param(lambda t: t.drop(columns="case"), "no column case", id="column"),
        pytest.param(lambda t: t.assign(rating="high"), "no finite numbers", id="words"),
        pytest.param(lambda t: t.iloc[:0], "no readings", id="empty"),
    ],
)
def test_broken_readings_are_refused(change, message):
    """The message says what is wrong, and where."""
    with pytest.raises(SampleError, match=message):
        mrmc(change(readings()))

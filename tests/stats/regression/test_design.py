"""The design matrix: treatment coding as R's, and what cannot be coded."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.regression.design import Covariate, Factor, coded, fitting_design
from idhray.stats.sample import SampleError

MARGIN = Factor(name="margin", levels=("indistinct", "clear"))
PLACE = Factor(name="place", levels=("other", "frontal", "thalamus"))
AGE = Covariate(name="age")


def patients(**columns):
    """Six patients, with columns replaced or added."""
    return pd.DataFrame(
        {
            "margin": ["clear", "indistinct", "clear", "indistinct", "clear", "indistinct"],
            "place": ["other", "frontal", "thalamus", "frontal", "other", "thalamus"],
            "age": [60, 35, 51, 44, 70, 38],
        }
        | columns
    )


def test_a_factor_has_a_column_for_each_level_but_its_reference():
    """R's model.matrix(~ place + age) with `other` first."""
    design = fitting_design(patients(), [PLACE, AGE])

    assert [one.label for one in design.columns] == [
        "(Intercept)",
        "place: frontal, not other",
        "place: thalamus, not other",
        "age",
    ]
    assert design.matrix.tolist() == [
        [1, 0, 0, 60],
        [1, 1, 0, 35],
        [1, 0, 1, 51],
        [1, 1, 0, 44],
        [1, 0, 0, 70],
        [1, 0, 1, 38],
    ]
    assert design.column_indices("place") == [1, 2]


def test_a_subset_keeps_the_intercept_and_the_order_asked_for():
    """A stepwise choice compares models made of the columns of one design."""
    part = fitting_design(patients(), [PLACE, MARGIN, AGE][:2]).subset(["margin"])

    assert [one.label for one in part.columns] == ["(Intercept)", "margin: clear, not indistinct"]
    assert part.matrix[:, 1].tolist() == [1, 0, 1, 0, 1, 0]
    assert part.predictors == (MARGIN,)


def test_a_level_that_nobody_has_gets_no_column_and_a_note():
    """Its column would be all zero, and its coefficient anything."""
    wide = Factor(name="margin", levels=("indistinct", "clear", "mixed"))
    design = fitting_design(patients(), [wide])

    assert design.matrix.shape == (6, 2)
    assert design.predictors == (MARGIN,)
    assert design.notes == ("margin: mixed occurs in no patient and has no coefficient.",)


def test_numbers_may_stand_for_levels():
    """A column of 0 and 1 is read as the levels `0` and `1`."""
    design = fitting_design(
        patients(clear=[0, 1, 0, 1, 1, 0]), [Factor(name="clear", levels=("0", "1"))]
    )

    assert design.matrix[:, 1].tolist() == [0, 1, 0, 1, 1, 0]


def test_coding_for_a_prediction_needs_no_spread():
    """A single patient is coded by the levels of the model that was fitted."""
    columns, matrix = coded(patients().iloc[:1], [PLACE, AGE])

    assert len(columns) == 4
    assert matrix.tolist() == [[1, 0, 0, 60]]


@pytest.mark.parametrize(
    ("columns", "predictors", "message"),
    [
        pytest.param({"age": [1, 2, np.nan, 4, 5, np.nan]}, [AGE], "2 of 6", id="missing age"),
        pytest.param({"margin": ["clear", None] * 3}, [MARGIN], "3 of 6", id="missing level"),
        pytest.param({"age": [1, 2, np.inf, 4, 5, 6]}, [AGE], "1 values are inf", id="infinite"),
        pytest.param({"age": list("abcdef")}, [AGE], "not numbers", id="text as number"),
        pytest.param({"margin": ["clear", "blur"] * 3}, [MARGIN], "blur is no", id="unknown"),
        pytest.param({"margin": ["clear"] * 6}, [MARGIN], "clear in all 6", id="constant level"),
        pytest.param({"age": [50.0] * 6}, [AGE], "50.0 in all 6", id="constant number"),
        pytest.param(
            {"place": ["frontal", "thalamus"] * 3}, [PLACE], "reference level other", id="reference"
        ),
        pytest.param({}, [AGE, AGE], "distinct", id="named twice"),
        pytest.param({}, [Covariate(name="sex")], "sex: 0 columns", id="absent"),
        pytest.param({"years": [60, 35, 51, 44, 70, 38]}, [AGE, Covariate(name="years")],
                     "years: determined by the other", id="collinear"),
        pytest.param({"b": [1, 3, 2, 5, 4, 6], "c": [1, 1, 2, 2, 3, 4], "d": [2, 1, 2, 1, 1, 1]},
                     [MARGIN, AGE, *(Covariate(name=one) for one in "bcd")],
                     "6 patients for 6 parameters", id="too many parameters"),
    ],
)  # fmt: skip
def test_what_cannot_be_coded_is_refused_by_name(columns, predictors, message):
    """One line says which predictor, what was found, and what to do."""
    with pytest.raises(SampleError, match=message) as caught:
        fitting_design(patients(**columns), predictors)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("levels", [("a",), ("a", "b", "a")])
def test_a_factor_needs_two_distinct_levels(levels):
    """A level that is listed twice would have two columns."""
    with pytest.raises(SampleError, match="distinct levels"):
        Factor(name="place", levels=levels)

"""Age, sex, grade and fusion are fitted without the tested patients; areas by references."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from idhray.errors import TableError
from idhray.stats.arms.baselines import age_headline, baseline_table, few_patients_sentence
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.arms.predictions import predictions_of
from idhray.stats.arms.predictors import (
    covariate_scores,
    fold_cohort,
    fused_scores,
    image_scores,
)
from idhray.stats.probabilities.fusion import fit_fusion
from idhray.stats.roc.area import auc_with_ci
from idhray.stats.sample import SampleError, Scored

ARMS = {"real": 0.0, "synthetic:60": 0.1}


@pytest.fixture(scope="module")
def rows(experiment):
    """Test rows, and validation rows of the patients of the next fold."""
    test = experiment(ARMS)
    val = experiment(ARMS, seed=9).assign(split="val")
    val["fold"] = val["fold"] % 3 + 1
    return prediction_rows(pd.concat([test.assign(split="test"), val]))


@pytest.fixture(scope="module")
def cohort(rows):
    """Manifest of the patients."""
    labels = rows.drop_duplicates("patient").sort_values("patient")
    mutant = labels["label"].to_numpy() == 1
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "patient": labels["patient"],
            "idh": np.where(mutant, "mutant", "wildtype"),
            "age": rng.normal(np.where(mutant, 42, 55), 10).round(),
            "sex": rng.choice(["f", "m"], len(labels)),
            "grade": rng.choice(["2", "3", "4"], len(labels)),
            "site": "A",
            "split": "",
        }
    )


def people(rows, cohort):
    """Predictions and the cohort by fold."""
    predictions = predictions_of(rows, "test", source="predictions")
    return predictions, fold_cohort(predictions, rows, cohort)


def test_no_model_is_fitted_on_tested_or_validation_patients(rows, cohort):
    """Each fold's training part is the remaining fold."""
    predictions, by_fold = people(rows, cohort)
    fold_of = {name: fold.fold for fold in predictions.folds for name in fold.patients}

    for fold, training in zip(predictions.folds, by_fold.training, strict=True):
        assert {fold_of[name] for name in training.index} == {fold.fold % 3 + 1}


def test_a_tested_patients_label_does_not_change_its_score(rows, cohort):
    """The order by age within a fold depends on other folds alone; so does a grade's share."""
    _, by_fold = people(rows, cohort)
    scores = {each.predictor: each for each in covariate_scores(by_fold)[0]}
    training = by_fold.training[0]
    grade = by_fold.tested[0]["grade"].iloc[0]
    of_grade = training[training["grade"] == grade]["label"]

    assert set(scores) == {"age", "sex", "grade"}
    assert scores["grade"].scores[0][0, 0] == pytest.approx(
        (of_grade.sum() + 0.5) / (len(of_grade) + 1)
    )
    ages = by_fold.tested[0]["age"].to_numpy()
    order = np.argsort(ages)
    assert (np.diff(scores["age"].scores[0][0, order]) <= 0).all()


def test_an_interval_over_folds_is_that_of_each_folds_area(rows, cohort):
    """The mean of areas, and the root of the sum of DeLong variances over K squared."""
    predictions, by_fold = people(rows, cohort)
    age = covariate_scores(by_fold)[0][0]
    labels = [fold.labels for fold in predictions.folds]
    row = baseline_table([age], labels).iloc[0]
    areas = [auc_with_ci(Scored(y, s[0])) for y, s in zip(labels, age.scores, strict=True)]
    mean = np.mean([area.auc for area in areas])
    se = np.sqrt(sum(area.se**2 for area in areas)) / 3

    assert row["auc"] == pytest.approx(mean)
    assert row["auc_high"] == pytest.approx(min(mean + 1.959964 * se, 1), abs=1e-6)


def test_the_fusion_is_fitted_on_validation_patients_and_marked(rows, cohort):
    """One fold and repeat by hand; with a fixed epoch validation chose nothing."""
    predictions, by_fold = people(rows, cohort)
    options = {"arm": "real", "repeats": (1, 2, 3)}
    fused = fused_scores(predictions, rows, by_fold, **options, epochs="unknown")
    fixed = fused_scores(predictions, rows, by_fold, **options, epochs="fixed")

    training, tested = by_fold.training[0], by_fold.tested[0]
    mean = training.groupby("label")["age"].mean()
    squares = training["age"] - training["label"].map(mean)
    variance = np.square(squares).sum() / (len(training) - 2)

    def p_age(ages):
        middle = (mean[1] + mean[0]) / 2
        return expit((mean[1] - mean[0]) / variance * (ages - middle))

    val = rows[(rows["split"] == "val") & (rows["fold"] == 1) & (rows["arm"] == "real")]
    val = val[val["repeat"] == 2]
    ages = val["patient"].map(cohort.set_index("patient")["age"])
    fusion = fit_fusion(val["p_mutant"], p_age(ages), val["label"].astype(int))
    expected = fusion.p_mutant(predictions.folds[0].blocks["real", 2], p_age(tested["age"]))
    assert fused.scores[0][1] == pytest.approx(expected)
    assert (fused.fitted_here, fixed.fitted_here) == (True, False)


def test_inner_folds_are_preferred_and_without_either_there_is_no_fusion(rows, cohort):
    """Predictions of training patients by inner folds chose nothing."""
    inner = rows.assign(split=rows["split"].replace("val", "inner"))
    predictions, by_fold = people(inner, cohort)
    fused = fused_scores(predictions, inner, by_fold, "real", (1, 2, 3), epochs="unknown")

    assert fused.fitted_on == "inner folds of training patients"
    assert not fused.fitted_here
    test = rows[rows["split"] == "test"]
    with pytest.raises(SampleError, match="inner folds or validation"):
        fused_scores(predictions, test, by_fold, "real", (1, 2, 3), epochs="unknown")


def test_an_age_that_no_image_beats_is_the_headline(rows, cohort):
    """It appears only if the age is at least as good as the best arm."""
    predictions, by_fold = people(rows, cohort)
    predictors = [*covariate_scores(by_fold)[0], *image_scores(predictions, list(ARMS), (1, 2, 3))]
    table = baseline_table(predictors, [fold.labels for fold in predictions.folds])
    best = table.loc[table["predictor"] == "image", "auc"].max()
    table.loc[table["predictor"] == "age", "auc"] = best + 0.001

    assert age_headline(table).startswith("No image classifier here is better than age alone")
    table.loc[table["predictor"] == "age", "auc"] = best - 0.001
    assert age_headline(table) == ""


def test_missing_ages_leave_patients_out_and_other_labels_are_refused(rows, cohort):
    """An unknown age is no age; a contradictory manifest is an error."""
    some = cohort.assign(age=cohort["age"].where(cohort["patient"] > "P005"))
    predictions, by_fold = people(rows, some)
    age = covariate_scores(by_fold)[0][0]
    row = baseline_table([age], [fold.labels for fold in predictions.folds]).iloc[0]

    assert row["n"] == 54
    flipped = cohort.assign(idh=cohort["idh"].where(cohort["patient"] != "P003", "wildtype"))
    with pytest.raises(TableError, match="another label in the manifest: P003"):
        people(rows, flipped)


def test_few_patients_of_a_class_are_said_to_move_an_area():
    """12 wildtypes: a tenth or more; nothing is said of 30 + 30."""
    assert "12 wildtype patients an AUC of 0.790 moves by about \u00b10.1" in few_patients_sentence(
        0.79, 50, 12
    )
    assert few_patients_sentence(0.79, 30, 30) == ""

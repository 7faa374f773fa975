"""Statistics of an external cohort on predictions that are made up."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from idhray.errors import TableError
from idhray.stats.arms.columns import prediction_rows
from idhray.stats.external.printed import external_tables_text, summary_sentence
from idhray.stats.external.scores import external_scores
from idhray.stats.external.tables import external_tables
from idhray.stats.mrmc.contrast import contrast
from idhray.stats.roc.delong import components, covariance
from idhray.stats.settings import StatsSettings

N, TRAININGS = 40, [(fold, repeat) for fold in (1, 2, 3) for repeat in (1, 2)]
LABELS = np.arange(N) % 2


def predictions(unknown=0):
    """Two arms of six trainings that predict 40 patients, and some of unknown IDH status."""
    random = np.random.default_rng(3)
    patients = random.normal(0, 1, N + unknown)
    truth = np.concatenate([LABELS, random.integers(0, 2, unknown)])
    rows = []
    for arm, gain in (("real", 0.8), ("synthetic:8", 1.1)):
        for fold, repeat in TRAININGS:
            logits = gain * (truth - 0.5) * 2 + patients + random.normal(0, 0.4, N + unknown)
            for i, logit in enumerate(logits):
                idh = "" if i >= N else ("wildtype", "mutant")[LABELS[i]]
                rows.append(
                    {
                        "patient": f"P{i:02d}", "idh": idh, "split": "external",
                        "model": "resnet", "arm": arm, "fold": fold, "repeat": repeat,
                        "p_mutant": 1 / (1 + np.exp(-logit)),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def cohort(unknown=0):
    names = [f"P{i:02d}" for i in range(N + unknown)]
    idh = [("wildtype", "mutant")[label] for label in LABELS] + [""] * unknown
    grades = [("2", "3")[i // 2 % 2] for i in range(N + unknown)]
    ages = [str(70 - 20 * (i % 2) + i % 7) for i in range(N + unknown)]
    return pd.DataFrame(
        {"patient": names, "idh": idh, "age": ages, "grade": grades, "sex": "", "site": ""}
    )


def tables_of(frame, people=None):
    scores = external_scores(prediction_rows(frame))
    return external_tables(scores, people, StatsSettings(), primary="synthetic:8")


def matrix(frame, arm):
    """(trainings, patients) probabilities, by a plain pivot."""
    of_arm = frame[(frame["arm"] == arm) & (frame["idh"] != "")]
    return of_arm.pivot(index=["fold", "repeat"], columns="patient", values="p_mutant").to_numpy()


def test_areas_are_those_of_single_trainings_and_of_their_mean_score():
    """The two answer different questions, so both stand in the table."""
    frame = predictions()
    row = tables_of(frame).models.set_index("arm").loc["real"]
    values = matrix(frame, "real")
    single = [roc_auc_score(LABELS, each) for each in values]

    assert row["trainings"] == 6
    assert row["auc_of_trainings"] == pytest.approx(np.mean(single))
    assert row["sd_trainings"] == pytest.approx(np.std(single, ddof=1))
    assert row["auc"] == pytest.approx(roc_auc_score(LABELS, values.mean(axis=0)))
    assert row["auprc"] == pytest.approx(average_precision_score(LABELS, values.mean(axis=0)))


def test_the_contrast_takes_all_trainings_as_readers_of_one_fold():
    """Obuchowski and Rockette with K = 1, from the components of each training."""
    frame = predictions()
    row = tables_of(frame).contrasts.iloc[0]
    new, old = matrix(frame, "synthetic:8"), matrix(frame, "real")
    differences = [
        roc_auc_score(LABELS, a) - roc_auc_score(LABELS, b) for a, b in zip(new, old, strict=True)
    ]
    parts = [components(LABELS, values) for values in (new, old)]
    joined = covariance(*(np.vstack([part[k] for part in parts]) for k in (0, 1)))
    between = joined[:6, :6] - joined[:6, 6:] - joined[6:, :6] + joined[6:, 6:]
    off = (between.sum() - np.trace(between)) / 30
    expected = contrast(
        float(np.mean(differences)),
        float(np.var(differences, ddof=1)) / 6,
        float(off),
        folds=1,
        repeats=6,
    )

    assert row["estimate"] == pytest.approx(expected.difference)
    assert row["se"] == pytest.approx(expected.se)
    assert row["p"] == pytest.approx(expected.p)


def test_patients_of_unknown_status_have_a_score_and_no_part_in_any_figure():
    """A new patient is predicted like the others; nothing can be judged by it."""
    frame = predictions(unknown=3)
    tables, without = tables_of(frame, cohort(3)), tables_of(frame[frame["idh"] != ""], cohort())
    new = tables.patients[tables.patients["idh"] == ""]

    assert set(new["patient"]) == {"P40", "P41", "P42"}
    assert set(new["use"]) == {"research use only"}
    assert (new["p_lowest"] <= new["p_mutant"]).all()
    pd.testing.assert_frame_equal(tables.models, without.models)
    pd.testing.assert_frame_equal(tables.strata, without.strata)


def test_a_cohort_without_labels_has_scores_alone():
    """Prediction is what a new patient needs; statistics do not exist."""
    frame = predictions().assign(idh="")
    tables = tables_of(frame, cohort().assign(idh=""))

    assert len(tables.patients) == 2 * N
    assert not tables.is_judged
    assert "nothing is judged" in summary_sentence(tables)
    assert set(external_tables_text(tables)) == {"Table 1", "Patients"}


def test_strata_and_age_alone_stand_beside_the_image():
    """A model may have learned grade or age: areas within grade tell."""
    tables = tables_of(predictions(), cohort())
    within = tables.strata[(tables.strata["stratum"] == "grade")]
    age = tables.baselines.set_index("predictor").loc["age"]
    ages = pd.to_numeric(cohort()["age"])

    assert set(within["level"]) == {"2", "3"}
    assert set(within["predictor"]) == {"age", "image"}
    assert age["auc"] == pytest.approx(roc_auc_score(LABELS, -ages))


def test_a_training_that_lacks_a_patient_is_left_out_and_named():
    """The mean over other trainings for this patient would be another score."""
    frame = predictions()
    lacking = frame.drop(frame[(frame["arm"] == "real") & (frame["fold"] == 1)].index[0])
    tables = tables_of(lacking)

    assert tables.models.set_index("arm").loc["real", "trainings"] == 5
    assert any("real, fold 1, repeat 1" in note for note in tables.notes)


def test_validation_patients_among_external_ones_are_refused():
    """They belong to the cohort of the experiment."""
    frame = predictions()
    frame.loc[0, "split"] = "val"
    with pytest.raises(TableError, match="split val"):
        external_scores(prediction_rows(frame.loc[[0, 1]]))

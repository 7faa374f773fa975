"""Logistic regression on features: the weights of arms, the penalty, and what a repeat is."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from idhray.chance import generator
from idhray.classify.aggregate import patient_means
from idhray.classify.frozen import (
    ProbeSettings,
    arm_weights,
    choose_penalty,
    fit_frozen,
    repeat_weights,
)
from idhray.errors import ConfigError, TableError


def cohort(n_patients=12, per_patient=4, dimensions=6, shift=1.0):
    """Features of patients of both classes by turns; the first feature tells them apart."""
    rng = generator(0, "features", n_patients, dimensions)
    labels = np.repeat(np.arange(n_patients) % 2, per_patient).astype(np.int8)
    patients = np.repeat([f"P{n:02d}" for n in range(n_patients)], per_patient)
    features = rng.normal(5, 3, (len(labels), dimensions))
    features[:, 0] += 3 * shift * labels
    return features.astype(np.float32), labels, patients


def test_the_fit_is_the_minimum_of_the_penalized_loss():
    """The gradient of weighted log loss plus half the penalty times the squares is zero."""
    features, labels, _ = cohort()
    weights = generator(0, "weights").uniform(0, 2, len(labels))
    head = fit_frozen(features, labels, weights=weights, penalty=3.0)
    x = (features - features.mean(axis=0, dtype=float)) / features.std(axis=0, dtype=float)
    residuals = weights * (head.mutant_probabilities(features) - labels)

    assert np.abs(x.T @ residuals + 3.0 * head.coefficients).max() < 0.01
    assert abs(residuals.sum()) < 0.01


def test_a_weight_of_two_is_the_image_twice():
    """So duplicates and weights agree; the scale is that of the real images alone."""
    features, labels, _ = cohort()
    n = len(labels)
    twice = np.concatenate([features, features[:5]]), np.concatenate([labels, labels[:5]])
    weights = np.ones(n)
    weights[:5] = 2
    weighted = fit_frozen(features, labels, weights=weights, penalty=1.0)
    listed = fit_frozen(*twice, weights=np.ones(n + 5), penalty=1.0, n_scale=n)

    assert weighted.coefficients == pytest.approx(listed.coefficients, abs=1e-3)
    assert (weighted.mean == listed.mean).all()


def test_every_arm_weighs_as_much_and_the_added_share_is_that_of_the_slots():
    """Total N, of which n / (N + n) on the added images; fewer patients weigh as the whole set."""
    real = np.array([2.0, 0.0, 1.0, 1.0])

    assert arm_weights(real, 0).tolist() == real.tolist()
    assert arm_weights(real, 4).sum() == pytest.approx(4)
    assert arm_weights(real, 4)[4:].sum() == pytest.approx(4 * 4 / 8)
    assert arm_weights(real, 4)[:4] == pytest.approx(real / 2)
    assert arm_weights(real, 2, total=8).sum() == pytest.approx(8)
    assert arm_weights(real, 2, total=8)[4:].sum() == pytest.approx(8 * 2 / 10)


def test_a_repeat_draws_each_patients_images_among_themselves():
    """Patients weigh the same in every repeat, which depends on no other patient."""
    _, _, patients = cohort()
    weights = repeat_weights(patients, seed=1)
    of_patients = [weights[patients == name].sum() for name in np.unique(patients)]

    assert of_patients == [4] * 12
    assert len(set(weights)) > 2
    assert (weights != repeat_weights(patients, seed=2)).any()
    assert repeat_weights(patients[8:], seed=1).tolist() == weights[8:].tolist()


def test_a_useless_cohort_gets_the_strongest_penalty_and_a_clear_one_a_weak_one():
    """By the log loss of patients that were held out."""
    features, labels, patients = cohort(n_patients=60, dimensions=40, shift=0.0)
    noise = choose_penalty(features, labels, patients, seed=1)
    features, labels, patients = cohort(n_patients=16, dimensions=6, shift=4.0)
    clear = choose_penalty(features, labels, patients, seed=1)

    assert noise >= 100
    assert clear <= 10


def test_classes_that_no_fit_can_use_are_refused():
    """Both in training, and two patients of each for inner folds."""
    features, labels, patients = cohort()

    with pytest.raises(TableError, match="needs images of both classes"):
        fit_frozen(features, np.zeros_like(labels), weights=np.ones(len(labels)), penalty=1.0)
    with pytest.raises(TableError, match="2 or more patients of each class for training, got 1"):
        choose_penalty(features[:12], labels[:12], patients[:12], seed=0)


def test_the_probe_equals_scikit_learn():
    """Its own scaler, another solver, and the mean probability of a patient."""
    features, labels, patients = cohort(n_patients=16, dimensions=5)
    features = features.astype(np.float64)
    head = fit_frozen(features, labels, weights=np.ones(len(labels)), penalty=10.0)
    pipeline = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, solver="newton-cholesky", tol=1e-10)
    ).fit(features, labels)
    p = head.mutant_probabilities(features)
    names, means, _ = patient_means(patients, p)
    expected = pipeline.predict_proba(features)[:, 1]

    assert p == pytest.approx(expected, abs=1e-4)
    assert means == pytest.approx([expected[patients == n].mean() for n in names], abs=1e-4)


def test_another_scale_may_be_given():
    """Arms of mean pooling share that of the arm `real`."""
    features, labels, _ = cohort()
    weights = np.ones(len(labels))
    head = fit_frozen(features, labels, weights=weights, penalty=1.0, scale_of=features[:10])

    assert head.mean == pytest.approx(features[:10].mean(axis=0), abs=1e-5)
    with pytest.raises(ConfigError, match=r"probe\.penalty must be above 0"):
        ProbeSettings(penalty=0.0)

"""Logistic regression on the features of a frozen encoder: the second classifier.

Features are made once, so a training takes milliseconds. All arms of one fold and repeat share the
scale of the features, the penalty and the weights of the real images, so they differ in the added
images alone. The regression itself has no chance in it; a repeat is another draw of the real images
(`repeat_weights`), which stands for the order of the images in the training of a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from idhray.chance import generator, seed_for
from idhray.classify.aggregate import MIN_PROBABILITY, patient_means
from idhray.errors import ConfigError, TableError

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)  # tried by `choose_penalty`
INNER_FOLDS = 5
MAX_ITERATIONS = 500
Matrix = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """Settings of the logistic regressions on features: linear probe and mean pooling."""

    penalty: float | None = None
    """Penalty on squared coefficients. Default: chosen in each fold by inner folds over its
    training patients, among 1, 10, 100, 1,000 and 10,000."""

    def __post_init__(self) -> None:
        if self.penalty is not None and not self.penalty > 0:
            raise ConfigError(f"probe.penalty must be above 0, got {self.penalty}")


@dataclass(frozen=True)
class FrozenHead:
    """Logistic regression on standardized features."""

    mean: NDArray[np.float64]  # (D,)
    scale: NDArray[np.float64]  # (D,)
    coefficients: NDArray[np.float64]  # (D,), of standardized features
    intercept: float

    def mutant_probabilities(self, features: Matrix) -> NDArray[np.float64]:
        """Probability of IDH mutation of each image, (N, D) -> (N,)."""
        logits = (features - self.mean) / self.scale @ self.coefficients + self.intercept
        return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def repeat_weights(patients: NDArray[np.str_], seed: int) -> NDArray[np.float64]:
    """Weights of the real images of one repeat: how often a draw with replacement takes each.

    Each patient's images are drawn among themselves, as many as the patient has. So every patient
    has the same weight in every repeat; the variance between patients is that of the test.

    Args:
        patients: Patient of each image, (N,).
        seed: Seed of fold and repeat; all arms share it.

    Returns:
        (N,) whole numbers, which sum to N.
    """
    weights = np.zeros(len(patients))
    for patient in np.unique(patients):
        rows = np.flatnonzero(patients == patient)
        draws = generator(seed, "frozen", "images", patient).integers(len(rows), size=len(rows))
        weights[rows] = np.bincount(draws, minlength=len(rows))
    return weights


def arm_weights(
    real: NDArray[np.float64], n_added: int, *, total: int | None = None
) -> NDArray[np.float64]:
    """Weights of the real images, then of the added ones; their sum does not depend on the arm.

    Args:
        real: Weights of the N real images from `repeat_weights`.
        n_added: Number n of the added images.
        total: Sum of all weights. Default: N. An arm of fewer patients has the N of the whole set.

    Returns:
        (N + n,). The added images share `n / (total + n)` of the sum equally, as in the slots of a
        trained network.
    """
    total = len(real) if total is None else total
    share = n_added / (total + n_added)
    added = np.full(n_added, total * share / max(n_added, 1))
    return np.concatenate([real * (total * (1 - share) / real.sum()), added])


def fit_frozen(
    features: Matrix,
    labels: NDArray[np.int8],
    *,
    weights: NDArray[np.float64],
    penalty: float,
    n_scale: int | None = None,
    scale_of: Matrix | None = None,
) -> FrozenHead:
    """Logistic regression with an L2 penalty on standardized features.

    Args:
        features: (N, D); the real images first.
        labels: (N,), wildtype 0, mutant 1.
        weights: (N,), from `arm_weights`.
        penalty: The sum of weighted log losses plus `penalty / 2` times the sum of squared
            coefficients is least.
        n_scale: Number of the first images, all real, whose mean and SD standardize the features.
            Default: all.
        scale_of: Other features whose mean and SD standardize these, (M, D).

    Raises:
        TableError: The images with a weight are of one class.
    """
    if len(np.unique(labels[weights > 0])) < 2:
        raise TableError("logistic regression needs images of both classes; check the labels")
    scaling = features[:n_scale] if scale_of is None else scale_of
    mean = scaling.mean(axis=0, dtype=np.float64)
    deviation = scaling.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 0, deviation, 1)
    # Features in float32 are fitted in float32, in three fifths of the time.
    standardized = ((features - mean) / scale).astype(features.dtype)
    model = LogisticRegression(C=1 / penalty, max_iter=MAX_ITERATIONS)
    model.fit(standardized, labels, sample_weight=weights)
    coefficients = model.coef_[0].astype(np.float64)
    return FrozenHead(mean, scale, coefficients, float(model.intercept_[0]))


def inner_folds(
    labels: NDArray[np.int8], patients: NDArray[np.str_], *, seed: int
) -> list[NDArray[np.str_]]:
    """Held-out patients of each inner fold, up to five, stratified by class.

    Args:
        labels: Label of each training image, (N,).
        patients: Patient of each training image, (N,).
        seed: Seed of the draw.

    Raises:
        TableError: A class has fewer than two patients.
    """
    names, first = np.unique(patients, return_index=True)
    labels_of_patients = labels[first]
    fewest = int(np.bincount(labels_of_patients, minlength=2).min())
    if fewest < 2:
        raise TableError(
            f"inner folds need 2 or more patients of each class for training, got {fewest}; "
            "use fewer folds"
        )
    splitter = StratifiedKFold(
        min(INNER_FOLDS, fewest), shuffle=True, random_state=seed_for(seed, "penalty") % 2**32
    )
    return [names[held_out] for _, held_out in splitter.split(names, labels_of_patients)]


def choose_penalty(
    features: Matrix,
    labels: NDArray[np.int8],
    patients: NDArray[np.str_],
    *,
    seed: int,
    penalties: Sequence[float] = PENALTIES,
) -> float:
    """Penalty of least log loss per patient, by inner folds over the real training patients.

    It is chosen once per fold, for all arms and repeats.

    Args:
        features: Features of the real training images, (N, D).
        labels: (N,), wildtype 0, mutant 1.
        patients: Patient of each image, (N,).
        seed: Seed of the inner folds.
        penalties: Penalties to try.

    Raises:
        TableError: A class has fewer than two patients.
    """
    losses = np.zeros(len(penalties))
    for held_out in inner_folds(labels, patients, seed=seed):
        tested = np.isin(patients, held_out)
        rows = ~tested
        for number, penalty in enumerate(penalties):
            head = fit_frozen(
                features[rows], labels[rows], weights=np.ones(int(rows.sum())), penalty=penalty
            )
            p = head.mutant_probabilities(features[tested])
            losses[number] += _patient_losses(patients[tested], labels[tested], p).sum()
    return float(penalties[int(losses.argmin())])


def _patient_losses(
    patients: NDArray[np.str_], labels: NDArray[np.int8], p_mutant: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Log loss of each patient's mean probability."""
    _, p, _ = patient_means(patients, p_mutant)
    _, mutant, _ = patient_means(patients, labels.astype(np.float64))
    p = p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(-np.where(mutant == 1, np.log(p), np.log1p(-p)))

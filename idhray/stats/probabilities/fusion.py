"""Fusion of the image's probability with the age model's: logistic regression on their logits.

Source: Liu et al. 2020, table 3. The paper states neither the patients on whom the fusion was
fitted nor its scale; both are choices made here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from idhray.stats.sample import SampleError, labels_of

MIN_PROBABILITY = 1e-4
"""Probabilities are clipped this far from 0 and 1 before their logits are taken."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Logistic regression on the logits of two probabilities."""

    intercept: float
    image: float
    """Weight of the image; 1 would take the classifier's probability at face value."""
    age: float
    """Weight of the age model."""
    n_mutant: int
    n_wildtype: int

    def p_mutant(self, p_image: ArrayLike, p_age: ArrayLike) -> NDArray[np.float64]:
        """P(mutant | image, age); NaN if one of the probabilities is NaN."""
        image, age = _logits(p_image, p_age).T
        return np.asarray(expit(self.intercept + self.image * image + self.age * age))


def fit_fusion(p_image: ArrayLike, p_age: ArrayLike, truth: ArrayLike) -> Fusion:
    """A fusion fitted on VALIDATION patients.

    Training patients will not do: a network's predictions for its own training images are near 0
    or 1 whatever it learned, and would give the image all the weight. So the fusion's figures on
    the validation set are optimistic, unlike those on the test set.

    Both weights have an L2 penalty with C = 1, which keeps the weights finite if the patients are
    perfectly separated.

    Raises:
        SampleError: there is one class only, a probability is missing or outside 0..1, or the
            lengths differ.
    """
    labels = labels_of(truth)
    columns = _logits(p_image, p_age)
    if len(columns) != len(labels) or not np.isfinite(columns).all():
        raise SampleError(
            f"the fusion needs two probabilities for each of {len(labels)} patients; "
            f"got {int(np.isfinite(columns).all(axis=1).sum())}"
        )
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    model.fit(columns, labels)
    image, age = model.coef_[0]
    return Fusion(
        intercept=float(model.intercept_[0]),
        image=float(image),
        age=float(age),
        n_mutant=int(labels.sum()),
        n_wildtype=int((1 - labels).sum()),
    )


def _logits(p_image: ArrayLike, p_age: ArrayLike) -> NDArray[np.float64]:
    """Finite logits of image and age, (patients, 2)."""
    columns = np.column_stack([np.asarray(p_image, dtype=float), np.asarray(p_age, dtype=float)])
    if bad := int(((columns < 0) | (columns > 1)).sum()):
        raise SampleError(f"fusion: {bad} of {columns.size} probabilities lie outside 0 to 1")
    return np.asarray(logit(columns.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)))

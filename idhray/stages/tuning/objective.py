"""Objective of a search: AUC by patient on the inner validation patients; ties go by log loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from idhray.classify.aggregate import patient_scores
from idhray.classify.attention import fit_attention, patient_probability
from idhray.classify.bags import Bags, bag_means
from idhray.classify.frozen import fit_frozen
from idhray.classify.trainer import Metrics, TrainingState, fit_classifier
from idhray.experiment.trials import ClassifierKind
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.tuning.inner_data import InnerData

STEPS = 4
"""Reports of one inner fold; a classifier on features makes the last one only."""
TIE = 1e-6
"""Weight of the log loss, which decides between equal areas only."""
TellScore = Callable[["InnerScore"], None]


@dataclass(frozen=True, kw_only=True)
class InnerScore:
    """Score of a configuration so far."""

    resource: int
    """Finished quarters of inner folds."""
    auc: float
    """Mean over the inner folds so far."""
    log_loss: float

    @property
    def objective(self) -> float:
        """Value that the search makes large."""
        return self.auc - TIE * self.log_loss


def evaluate(
    settings: ExperimentSettings, kind: ClassifierKind, data: InnerData, report: TellScore
) -> None:
    """Train on each inner fold in turn, and report the mean scores.

    Args:
        settings: Settings of the configuration.
        kind: Classifier.
        data: Training images of the fold.
        report: Called with the score so far.
    """
    finished: list[tuple[float, float]] = []

    def tell(step: int, scores: dict[str, Any]) -> None:
        now = [*finished, (scores["val_auc"], scores["val_loss"])]
        auc, loss = np.mean(now, axis=0)
        resource = STEPS * len(finished) + step
        report(InnerScore(resource=resource, auc=float(auc), log_loss=float(loss)))

    train_one = {"network": _network, "abmil": _attention, "mean-pool": _means}.get(kind, _probe)
    for number in range(len(data.inner)):
        scores = train_one(settings, data, number, tell)
        tell(STEPS, scores)
        finished.append((scores["val_auc"], scores["val_loss"]))


def _network(
    settings: ExperimentSettings,
    data: InnerData,
    number: int,
    tell: Callable[[int, dict[str, Any]], None],
) -> dict[str, Any]:
    train, val = data.rows(number)
    epochs = settings.classifier.epochs
    milestones = {-(-epochs * step // STEPS): step for step in range(STEPS - 1, 0, -1)}

    def best(state: TrainingState) -> dict[str, Any]:
        return dict(state.history[state.best_epoch - 1])

    def on_epoch(metrics: Metrics, state: TrainingState) -> None:
        if metrics["epoch"] < epochs and metrics["epoch"] in milestones:
            tell(milestones[metrics["epoch"]], best(state))

    state = fit_classifier(
        data.images.view(train),
        None,
        data.images.view(val),
        settings.classifier,
        seed=data.seed,
        device="cuda" if torch.cuda.is_available() else "cpu",
        on_epoch=on_epoch,
    )
    return best(state)


def _probe(
    settings: ExperimentSettings, data: InnerData, number: int, tell: object
) -> dict[str, Any]:
    train, val = data.rows(number)
    assert data.features is not None
    head = fit_frozen(
        data.features[train],
        data.images.labels[train],
        weights=np.ones(len(train)),
        penalty=settings.probe.penalty or 1.0,
    )
    return patient_scores(data.images.view(val), head.mutant_probabilities(data.features[val]))


def _means(
    settings: ExperimentSettings, data: InnerData, number: int, tell: object
) -> dict[str, Any]:
    train, val = (_bags(data, rows) for rows in data.rows(number))
    head = fit_frozen(
        train[1],
        train[0].bag_labels,
        weights=np.ones(len(train[1])),
        penalty=settings.probe.penalty or 1.0,
    )
    rows = data.rows(number)[1]
    by_name = dict(zip(val[0].names, head.mutant_probabilities(val[1]), strict=True))
    p = np.array([by_name[str(name)] for name in data.images.patients[rows]])
    return patient_scores(data.images.view(rows), p)


def _attention(
    settings: ExperimentSettings, data: InnerData, number: int, tell: object
) -> dict[str, Any]:
    train, val = data.rows(number)
    assert data.features is not None
    bags, _ = _bags(data, train)
    held_out, _ = _bags(data, val)
    of_val = data.features[val]
    fitted = fit_attention(
        bags,
        data.features[train],
        data.features[:0],
        [
            (int(label), of_val[held_out.rows[name]])
            for name, label in zip(held_out.names, held_out.bag_labels, strict=True)
        ],
        settings.mil,
        bags_per_epoch=len(bags.names),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    p = np.zeros(len(val))
    for name in held_out.names:
        p[held_out.rows[name]] = patient_probability(fitted.head, of_val[held_out.rows[name]])
    return patient_scores(data.images.view(val), p)


def _bags(data: InnerData, rows: NDArray[np.intp]) -> tuple[Bags, NDArray[np.float32]]:
    """Patients of some images, and the mean features of each."""
    assert data.features is not None
    labels = data.images.labels[rows]
    sizes = (int((labels == 0).sum()), int((labels == 1).sum()))
    bags = Bags(data.images.patients[rows], labels, labels[:0], sizes, data.seed)
    return bags, bag_means(bags, data.features[rows], data.features[:0])

"""Training of one classifier by one worker or by several.

Each worker takes its share of every global batch, and gradients are averaged before each step.
Batch normalization sees only the worker's share, so several workers train a slightly different
network than one from the same batches. On one device a run is repeatable bit by bit, and a resumed
run gives the same result as an uninterrupted one.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from idhray.chance import seed_for
from idhray.classify.aggregate import mutant_probabilities, patient_scores
from idhray.classify.backbones import bare_network, build_network
from idhray.classify.batches import batches
from idhray.classify.dataset import ImageSet
from idhray.classify.settings import ClassifierSettings
from idhray.config import Identity, differences, identity_of, settings_hash
from idhray.distributed import Worker
from idhray.errors import ConfigError, SettingsChangedError, TableError, TrainingError

logger = logging.getLogger(__name__)

SETTINGS_OF_VERSION_0_1 = (
    *("backbone", "width", "weights", "image_px", "clahe_clip_limit", "clahe_tiles", "gamma"),
    *("dihedral", "dropout", "batch_size", "epochs", "learning_rate", "lr_decay", "beta1"),
    *("beta2", "select_by"),
)
"""Settings whose hash is the identity of a training state of version 0.1. Never add to them."""
ADAM_EPSILON = 1e-7  # Keras's default, which Liu et al. do not change
ALONE = Worker()
Metrics = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """State of a run after an epoch: everything that it needs to continue."""

    identity: str
    """Settings, seed and digest of the images as JSON; a run continues only with the same ones.
    Version 0.1 wrote the hash of `SETTINGS_OF_VERSION_0_1`, seed and digest instead."""
    history: list[Metrics]
    """epoch, train_loss, val_loss and val_auc of each finished epoch."""
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: dict[str, Tensor]
    """Weights of the selected epoch."""
    best_epoch: int


@dataclass(frozen=True)
class _Run:
    """Inputs that stay the same during a training."""

    train: ImageSet
    val: ImageSet
    settings: ClassifierSettings
    seed: int
    worker: Worker


OnEpoch = Callable[[Metrics, TrainingState], None]


def fit_classifier(
    train: ImageSet,
    val: ImageSet,
    settings: ClassifierSettings,
    *,
    seed: int,
    worker: Worker = ALONE,
    device: torch.device | str = "cpu",
    state: TrainingState | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainingState:
    """Train a classifier and return its state after the last epoch; predict with `state.best`.

    Args:
        train: Labeled images, real and synthetic; every worker needs all of them.
        val: Images of the validation patients; unlabeled images are left out.
        settings: Settings of the training.
        seed: Seed of the initial weights, the order of images, dropout and augmentation.
        worker: Rank of this worker and the number of workers.
        device: Device to train on.
        state: State of an interrupted run with the same settings, seed and images.
        on_epoch: Callback on every worker after each epoch. The tensors of the state are live:
            save or copy them before returning.

    Raises:
        ConfigError: The batch is larger than the set, or does not divide over the workers.
        TrainingError: The loss is no longer finite.
        SettingsChangedError: `state` belongs to other settings, another seed or other images.
        TableError: No validation image has a label.
    """
    run = _Run(train, val.labeled(), settings, seed, worker)
    _check_sets(run)
    torch.backends.cudnn.deterministic = True
    network, optimizer, state = _start(run, torch.device(device), state)
    for epoch in range(len(state.history) + 1, settings.epochs + 1):
        loss = _train_epoch(network, optimizer, run, epoch)
        scores = patient_scores(run.val, _shared_probabilities(network, run.val, worker))
        metrics = {"epoch": epoch, "train_loss": loss, **scores}
        logger.info("%s", metrics)
        _check_finite(metrics)
        state = _next_state(state, metrics, network, optimizer, settings)
        if on_epoch:
            on_epoch(metrics, state)
    return state


def _check_sets(run: _Run) -> None:
    run.worker.share(run.settings.batch_size)
    if len(run.train) < run.settings.batch_size:
        raise ConfigError(
            f"{len(run.train)} training images do not fill one batch of {run.settings.batch_size};"
            " lower --batch-size"
        )
    if not len(run.val):
        raise TableError("no validation image has a label; give the val split labeled patients")


def _check_finite(metrics: Metrics) -> None:
    for name in ("train_loss", "val_loss"):
        if not np.isfinite(metrics[name]):
            raise TrainingError(
                f"epoch {metrics['epoch']}: {name} is {metrics[name]}; lower --learning-rate"
            )


def _start(
    run: _Run, device: torch.device, state: TrainingState | None
) -> tuple[nn.Module, torch.optim.Adam, TrainingState]:
    """Network, optimizer and state: new, or restored from `state`."""
    settings, identity = run.settings, _identity(run)
    if state:
        _refuse_changes(state.identity, identity)
    network = (bare_network(settings) if state else build_network(settings, run.seed)).to(device)
    optimizer = torch.optim.Adam(
        network.parameters(),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=ADAM_EPSILON,
    )
    if state:
        network.load_state_dict(state.network)
        optimizer.load_state_dict(state.optimizer)
        return network, optimizer, state
    new = TrainingState(
        identity=json.dumps(identity.values),
        history=[],
        network={},
        optimizer={},
        best={},
        best_epoch=0,
    )
    return network, optimizer, new


def _identity(run: _Run) -> Identity:
    digest = hashlib.sha256()
    for images in (run.train, run.val):
        digest.update(np.ascontiguousarray(images.pixels).data)
        digest.update(images.labels.tobytes())
        digest.update("\n".join(images.patients).encode())
    inputs = {"seed": run.seed, "images": digest.hexdigest()}
    return identity_of(inputs=inputs, settings=run.settings)


def _refuse_changes(saved: str, identity: Identity) -> None:
    """Refuse to continue a training of other settings, another seed or other images.

    Raises:
        SettingsChangedError: naming each difference, where the state says what it was made of.
    """
    values, defaults = identity.values, identity.defaults
    if saved.startswith("{"):
        changed = differences(json.loads(saved), values, defaults)
    else:
        hashed = {name: values[name] for name in (*SETTINGS_OF_VERSION_0_1, "seed", "images")}
        changed = [] if saved == settings_hash(hashed) else ["settings, seed or images"]
        changed += differences({**defaults, **hashed}, values, defaults)
    if changed:
        raise SettingsChangedError(
            f"the saved training is of another run ({'; '.join(changed)}); "
            "give the old settings to continue, or --overwrite to start again"
        )


def _next_state(
    state: TrainingState,
    metrics: Metrics,
    network: nn.Module,
    optimizer: torch.optim.Adam,
    settings: ClassifierSettings,
) -> TrainingState:
    least = min((past["val_loss"] for past in state.history), default=np.inf)
    better = settings.select_by == "last_epoch" or metrics["val_loss"] < least
    return TrainingState(
        identity=state.identity,
        history=[*state.history, metrics],
        network=network.state_dict(),
        optimizer=optimizer.state_dict(),
        best=_copy(network.state_dict()) if better else state.best,
        best_epoch=metrics["epoch"] if better else state.best_epoch,
    )


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}


def _train_epoch(network: nn.Module, optimizer: torch.optim.Adam, run: _Run, epoch: int) -> float:
    """Mean loss of one pass over the training set."""
    settings, worker = run.settings, run.worker
    device = next(network.parameters()).device
    steps = len(run.train) // settings.batch_size
    # Dropout masks: the same in a resumed epoch, different for each worker.
    torch.manual_seed(seed_for(run.seed, "classifier", "dropout", epoch, worker.rank))
    network.train()
    total = torch.zeros((), device=device)
    worker_batches = batches(run.train, settings, run.seed, epoch, worker=worker)
    for step, (pixels, labels) in enumerate(worker_batches, start=(epoch - 1) * steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate / (1 + settings.lr_decay * step)
        optimizer.zero_grad()
        loss = F.cross_entropy(network(pixels.to(device)), labels.to(device))
        loss.backward()
        worker.average_gradients(network)
        optimizer.step()
        total += loss.detach()
    running = [b for name, b in network.named_buffers() if "running_" in name]
    worker.average([total, *running])
    return float(total) / steps


def _shared_probabilities(
    network: nn.Module, images: ImageSet, worker: Worker
) -> NDArray[np.float64]:
    """`mutant_probabilities` of all images; each worker computes every `worker.size`-th one."""
    device = next(network.parameters()).device
    own_share = slice(worker.rank, None, worker.size)
    probabilities = torch.zeros(len(images), dtype=torch.float64, device=device)
    own_probabilities = mutant_probabilities(network, images.pixels[own_share], device=device)
    probabilities[own_share] = torch.from_numpy(own_probabilities).to(device)
    worker.average([probabilities])
    return probabilities.cpu().numpy() * worker.size

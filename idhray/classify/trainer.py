"""Training of one classifier by one worker or by several.

Each worker takes its share of every global batch, and gradients are averaged before each step.
Batch normalization sees only the worker's share, so several workers train a slightly different
network than one from the same batches. On one device a run is repeatable bit by bit, and a resumed
run gives the same result as an uninterrupted one.

The batches are those of `slots.py`: an epoch has the same steps whatever is added to the real
images.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
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
from idhray.classify.image_set import ImageRows
from idhray.classify.optimizers import optimizer_of, rate_of_step
from idhray.classify.settings import ClassifierSettings
from idhray.classify.slots import Schedule, StepSlots, slots_from
from idhray.config import Identity, differences, identity_of
from idhray.distributed import Worker
from idhray.errors import ConfigError, SettingsChangedError, TableError, TrainingError

ALONE = Worker()
SCHEDULE = "slots"  # name of the order of images, in the identity of a training
Metrics = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """State of a run after an epoch: everything that it needs to continue."""

    identity: str
    """Settings, seed, schedule and digests of the images as JSON; a run continues only with the
    same ones."""
    history: list[Metrics]
    """epoch, train_loss, val_loss and val_auc of each finished epoch."""
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    best: dict[str, Tensor]
    """Weights of the selected epoch."""
    best_epoch: int


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Inputs that stay the same during a training."""

    real: ImageRows
    added: ImageRows | None
    val: ImageRows
    settings: ClassifierSettings
    schedule: Schedule
    steps_per_epoch: int
    worker: Worker


OnEpoch = Callable[[Metrics, TrainingState], None]


def fit_classifier(
    real: ImageRows,
    added: ImageRows | None,
    val: ImageRows,
    settings: ClassifierSettings,
    *,
    seed: int,
    steps_per_epoch: int | None = None,
    slots_of: int | None = None,
    worker: Worker = ALONE,
    device: torch.device | str = "cpu",
    state: TrainingState | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainingState:
    """Train a classifier and return its state after the last epoch; predict with `state.best`.

    Args:
        real: Labeled real images; every worker needs all of them.
        added: Labeled images that are added to them, or None.
        val: Images of the validation patients; unlabeled images are left out.
        settings: Settings of the training.
        seed: Seed of the initial weights, the order of images, dropout and augmentation.
        steps_per_epoch: Steps between two validations. Default: one pass over the real images,
            whatever is added.
        slots_of: Number of real images by which steps and slots are numbered. Default: that of
            `real`. A reduced set of real images is trained for the steps of the whole set, and
            slot i shows its image `i mod len(real)`.
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
    schedule = Schedule(
        n_real=len(real) if slots_of is None else slots_of,
        n_added=0 if added is None else len(added),
        batch_size=settings.batch_size,
        seed=seed,
    )
    run = _Run(
        real=real,
        added=added,
        val=val.labeled(),
        settings=settings,
        schedule=schedule,
        steps_per_epoch=schedule.steps_per_pass if steps_per_epoch is None else steps_per_epoch,
        worker=worker,
    )
    _check_sets(run)
    torch.backends.cudnn.deterministic = True
    network, optimizer, state = _start(run, torch.device(device), state)
    slots = slots_from(schedule, len(state.history) * run.steps_per_epoch)
    for epoch in range(len(state.history) + 1, settings.epochs + 1):
        epoch_slots = itertools.islice(slots, run.steps_per_epoch)
        loss = _train_epoch(network, optimizer, run, epoch_slots)
        scores = patient_scores(run.val, _shared_probabilities(network, run.val, worker))
        metrics = {"epoch": epoch, "train_loss": loss, **scores}
        _check_finite(metrics)
        state = _next_state(state, metrics, network, optimizer, settings)
        if on_epoch:
            on_epoch(metrics, state)
    return state


def _check_sets(run: _Run) -> None:
    run.worker.share(run.settings.batch_size)
    if run.schedule.n_real < run.settings.batch_size:
        raise ConfigError(
            f"{run.schedule.n_real} training images do not fill one batch of "
            f"{run.settings.batch_size}; lower --batch-size"
        )
    if not 0 < len(run.real) <= run.schedule.n_real:
        raise ConfigError(
            f"{len(run.real)} real images cannot be shown in the slots of {run.schedule.n_real}; "
            "slots_of must be the number of real images of the whole set"
        )
    if run.steps_per_epoch < 1:
        raise ConfigError(f"steps_per_epoch must be 1 or more, got {run.steps_per_epoch}")
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
) -> tuple[nn.Module, torch.optim.Optimizer, TrainingState]:
    """Network, optimizer and state: new, or restored from `state`."""
    settings, identity = run.settings, _identity(run)
    if state:
        _refuse_changes(state.identity, identity)
    network = (bare_network(settings) if state else build_network(settings, run.schedule.seed)).to(
        device
    )
    optimizer = optimizer_of(network, settings)
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
    sets = (run.real, *([] if run.added is None else [run.added]), run.val)
    inputs = {
        "seed": run.schedule.seed,
        "images": hashlib.sha256("".join(rows.digest() for rows in sets).encode()).hexdigest(),
        "n_added": run.schedule.n_added,
        "schedule": SCHEDULE,
        "slots_of": run.schedule.n_real,
        "steps_per_epoch": run.steps_per_epoch,
    }
    return identity_of(inputs=inputs, settings=run.settings)


def _refuse_changes(saved: str, identity: Identity) -> None:
    """Refuse to continue a training of another schedule, or of other settings, seed or images.

    Raises:
        SettingsChangedError: naming each difference.
    """
    # Version 0.1 wrote a hash.
    recorded = json.loads(saved) if saved.startswith("{") else {}
    if recorded.get("schedule") != SCHEDULE:
        raise SettingsChangedError(
            "the saved training is of an older version, which showed the images in another order; "
            "finish it with that version, or start again with --overwrite"
        )
    if changed := differences(recorded, identity.values, identity.defaults):
        raise SettingsChangedError(
            f"the saved training is of another run ({'; '.join(changed)}); "
            "give the old settings to continue, or --overwrite to start again"
        )


def _next_state(
    state: TrainingState,
    metrics: Metrics,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
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


def _train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, run: _Run, slots: Iterable[StepSlots]
) -> float:
    """Mean loss over the steps of one epoch."""
    settings, worker = run.settings, run.worker
    device = next(network.parameters()).device
    network.train()
    total = torch.zeros((), device=device)
    seed = run.schedule.seed
    for batch in batches(
        run.real, run.added, slots, settings, seed=seed, worker=worker, schedule=run.schedule
    ):
        # Dropout masks depend on the step alone: the same after a resumption and in every arm.
        torch.manual_seed(seed_for(seed, "dropout", batch.step, worker.rank))
        for group in optimizer.param_groups:
            group["lr"] = rate_of_step(settings, batch.step, run.steps_per_epoch * settings.epochs)
        optimizer.zero_grad()
        loss = F.cross_entropy(network(batch.pixels.to(device)), batch.labels.to(device))
        loss.backward()
        worker.average_gradients(network)
        optimizer.step()
        total += loss.detach()
    running = [b for name, b in network.named_buffers() if "running_" in name]
    worker.average([total, *running])
    return float(total) / run.steps_per_epoch


def _shared_probabilities(
    network: nn.Module, images: ImageRows, worker: Worker
) -> NDArray[np.float64]:
    """`mutant_probabilities` of all images; each worker computes every `worker.size`-th one."""
    device = next(network.parameters()).device
    own_share = slice(worker.rank, None, worker.size)
    probabilities = torch.zeros(len(images), dtype=torch.float64, device=device)
    own_probabilities = mutant_probabilities(network, images.take(own_share), device=device)
    probabilities[own_share] = torch.from_numpy(own_probabilities).to(device)
    worker.average([probabilities])
    return probabilities.cpu().numpy() * worker.size

"""Training of a diffusion model by flow matching: one network, one loss, the EMA.

Shapes: N images of a batch, C channels, S side.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from idhray.config import differences, settings_dict
from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan.data import level_images
from idhray.gan.diffusion.config import NETWORK, DiffusionSettings
from idhray.gan.diffusion.networks import DiffusionNetwork
from idhray.gan.engine import Engine, descend
from idhray.gan.run import Losses, Run
from idhray.gan.weights import TransferSource

EMA_RAMP = 0.05
"""Half-life of the averaged network as a fraction of the images shown, so that the first weights
are soon forgotten. Source: Karras et al. 2020 (arXiv:2006.06676), their code."""


class DiffusionPhase:
    """The loss of a network as a function of tensors, to be compiled."""

    def __init__(self, network: DiffusionNetwork, engine: Engine, device: torch.device) -> None:
        self._network = network
        self._dtype = engine.dtype(device)
        self.loss = engine.phase(self._loss)

    def _loss(
        self, reals: Tensor, noise: Tensor, times: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Mean squared error of the velocities at (N,) times between images and noise."""
        t = times[:, None, None, None]
        velocity = self._network((1 - t) * reals + t * noise, times, self._dtype, labels)
        return F.mse_loss(velocity, noise - reals)


@dataclass(kw_only=True)
class DiffusionRun(Run):
    """A diffusion model in training."""

    settings: DiffusionSettings
    generator: DiffusionNetwork
    average: DiffusionNetwork
    optimizer: Optimizer = field(init=False)
    phase: DiffusionPhase = field(init=False)

    def __post_init__(self) -> None:
        if self.dtype == torch.float16:
            raise ConfigError(
                "a diffusion model trains in bfloat16 or float32, as small slopes vanish in "
                "float16; give --precision float32"
            )
        self.level = self.settings.resolution_px.bit_length() - 3
        self.reals = level_images(self.images, self.level, self.device)
        self.phase = DiffusionPhase(self.generator, self.engine, self.device)
        self.start_optimizer()

    @staticmethod
    def new_networks(settings: DiffusionSettings) -> dict[str, nn.Module]:
        """New network."""
        return {"generator": DiffusionNetwork(settings)}

    @staticmethod
    def check_shares(settings: DiffusionSettings, worker: Worker) -> None:
        """Refuse batches that do not divide over the workers.

        Raises:
            ConfigError: the batch size does not divide.
        """
        if settings.batch_size % worker.size:
            raise ConfigError(
                f"batch_size {settings.batch_size} does not divide over {worker.size} workers; use "
                "fewer workers or another batch_size"
            )

    def start_optimizer(self) -> None:
        """Make a new optimizer."""
        self.optimizer = Adam(
            self.generator.parameters(),
            lr=self.settings.learning_rate,
            betas=(0.9, self.settings.beta2),
            fused=True,
        )

    def step(self) -> Losses:
        """Train the network and update the EMA: the loss."""
        settings, size = self.settings, self.settings.batch_size
        chance, share = self.chance("diffusion"), self.worker.share(size)
        reals = self.reals_of(size, self.symmetries(size, chance))
        logits = settings.time_mean + settings.time_sd * torch.randn(size, generator=chance)
        times = self.on_device(torch.sigmoid(logits)[share])
        noise, labels = self._noise(size)[share], self.labels_of(size)

        def parts() -> Iterator[Tensor]:
            for part, weight in self._parts(size):
                classes = None if labels is None else labels[part]
                yield weight * self.phase.loss(reals[part], noise[part], times[part], classes)

        loss = descend(self.optimizer, parts(), self.worker, self.dtype)
        self.images_shown += size
        self._update_average()
        return {"loss": loss}

    def optimizers(self) -> Sequence[Optimizer]:
        """The optimizer."""
        return (self.optimizer,)

    def training_state(self) -> dict[str, Any]:
        """The optimizer."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `training_state`."""
        self.optimizer.load_state_dict(state["optimizer"])

    def _noise(self, size: int) -> Tensor:
        """(size, C, S, S) noise of the global batch, drawn on the device."""
        chance = self.chance("diffusion noise", self.device)
        return torch.randn(size, *self.generator.shape, generator=chance, device=self.device)

    def _update_average(self) -> None:
        """EMA <- decay * EMA + (1 - decay) * network, with the decay of the half-life."""
        half_life = min(1000 * self.settings.ema_half_life_kimg, EMA_RAMP * self.images_shown)
        follow = get_ema_multi_avg_fn(0.5 ** (self.settings.batch_size / half_life))
        follow(list(self.average.parameters()), list(self.generator.parameters()), None)


def transfer_weights(
    run: DiffusionRun, source: TransferSource, freeze_layers: int, *, adapt_channels: bool
) -> None:
    """Give a new run the networks of a checkpoint, and a new optimizer.

    Args:
        run: Run before its first step.
        source: Checkpoint of a diffusion model with the same network.
        freeze_layers: Must be 0: it is for discriminators.
        adapt_channels: Must be false.

    Raises:
        ConfigError: the networks differ, or a flag does not apply.
    """
    if freeze_layers or adapt_channels:
        raise ConfigError("a diffusion model takes neither --freeze-layers nor --adapt-channels")
    old, new = settings_dict(source.settings), settings_dict(run.settings)
    if changed := differences({k: old[k] for k in NETWORK}, {k: new[k] for k in NETWORK}, {}):
        raise ConfigError(
            f"{source.folder}: its network is not that of this run ({'; '.join(changed)}); give "
            "its settings, or train without it"
        )
    for name, network in run.networks.items():
        source.weights.fill(network, name)
    run.start_optimizer()

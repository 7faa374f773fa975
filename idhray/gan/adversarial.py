"""A generator that is trained against a discriminator, and the augmentation of what that sees."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from idhray.gan.augment.adaptive import AdaptiveProbability
from idhray.gan.augment.augment import draw
from idhray.gan.augment.draws import AugmentDraws
from idhray.gan.config import AdversarialSettings
from idhray.gan.run import Run


@dataclass(kw_only=True)
class AdversarialRun(Run):
    """A generator and its discriminator in training."""

    settings: AdversarialSettings
    discriminator: nn.Module

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The three networks by the name that their weights have in a checkpoint."""
        return {**super().networks, "discriminator": self.discriminator}

    def training_state(self) -> dict[str, Any]:
        """Probability of augmentation, if it adapts."""
        return {"augment": self.adaptive.state_dict()} if self.adaptive else {}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `training_state`."""
        if self.adaptive:
            self.adaptive.load_state_dict(state["augment"])

    @functools.cached_property
    def adaptive(self) -> AdaptiveProbability | None:
        """Control of the probability of augmentation; None without adaptive augmentation."""
        if self.settings.augment.mode != "ada":
            return None
        return AdaptiveProbability(
            self.settings.augment,
            transferring=self.initialized_from is not None,
            device=self.device,
        )

    @functools.cached_property
    def p(self) -> Tensor:
        """(): the probability of augmentation, on the device."""
        return self.adaptive.p if self.adaptive else torch.zeros((), device=self.device)

    def _draws(self, purpose: str, size: int) -> AugmentDraws | None:
        """Augmentation of this worker's share of `size` images; None without augmentation."""
        if self.settings.augment.mode == "none":
            return None
        chance = self.chance(f"{purpose} augmentation")
        draws = draw(size, self.settings.channels, self.settings.augment, chance)
        return draws.share(self.worker.share(size)).to(self.device)


def share(draws: AugmentDraws | None, part: slice) -> AugmentDraws | None:
    """Draws of some of the images."""
    return None if draws is None else draws.share(part)

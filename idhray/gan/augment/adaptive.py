"""Probability p of augmentation, controlled by the overfitting of the discriminator.

Source: Karras et al. 2020 (arXiv:2006.06676), section 3, K2020 below.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from idhray.gan.augment.config import AugmentSettings


class AdaptiveProbability:
    """p, and the overfitting r_t that controls it: the mean sign of real images' scores.

    r_t is 0 if the discriminator does not recognize its training images, 1 if it has memorized all
    of them. p rises by a fixed step while r_t is above the target, and falls while it is below. All
    tensors stay on the device, and `p` keeps its place in memory, so that compiled steps see it
    change. It is the same on every worker.
    """

    def __init__(
        self,
        settings: AugmentSettings,
        *,
        transferring: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        """Start at p = 0, or at the fixed p; `transferring`: the networks started from others."""
        self.settings = settings
        self.rise_kimg = settings.transfer_rise_kimg if transferring else settings.rise_kimg
        self.p = torch.full((), settings.fixed_p or 0.0, device=device)
        """(): probability of each transform."""
        self.overfitting = torch.zeros((), device=device)
        """(): r_t at the last change of p."""
        self.sign_sum = torch.zeros((), device=device)
        self.images = 0
        self.batches = 0

    def observe(
        self,
        real_scores: Tensor,
        batch_size: int,
        average: Callable[[Iterable[Tensor]], None] | None = None,
    ) -> None:
        """Count one batch, and adjust p after every `interval_batches`.

        Args:
            real_scores: (n,) scores of this worker's share, from the training step.
            batch_size: Images of the global batch.
            average: Function that replaces tensors by their mean over all workers,
                `Worker.average`.
        """
        signs = real_scores.detach().float().sign().sum()
        if average is not None:
            average([signs])
        self.sign_sum += signs * (batch_size / len(real_scores))
        self.images += batch_size
        self.batches += 1
        if self.batches == self.settings.interval_batches:
            self._adjust()

    def _adjust(self) -> None:
        self.overfitting.copy_(self.sign_sum / self.images)
        if self.settings.fixed_p is None:
            direction = (self.overfitting - self.settings.target).sign()
            self.p += direction * (self.images / (1000 * self.rise_kimg))
            self.p.clamp_(0, self.settings.max_p)
        self.sign_sum.zero_()
        self.images = self.batches = 0

    def state_dict(self) -> dict[str, Any]:
        """Tensors and numbers that training continues with exactly."""
        return {
            "p": self.p,
            "overfitting": self.overfitting,
            "sign_sum": self.sign_sum,
            "images": self.images,
            "batches": self.batches,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with the values of `state_dict`; a fixed p stays that of the settings."""
        if self.settings.fixed_p is None:
            self.p.copy_(state["p"])
        self.overfitting.copy_(state["overfitting"])
        self.sign_sum.copy_(state["sign_sum"])
        self.images = int(state["images"])
        self.batches = int(state["batches"])

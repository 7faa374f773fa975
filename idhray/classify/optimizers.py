"""Optimizers and learning rates of the trainings of a network."""

import math

import torch
from torch import nn

from idhray.classify.settings import ClassifierSettings

ADAM_EPSILON = 1e-7  # Keras's default, which Liu et al. do not change
ADAMW_EPSILON = 1e-8
WARM_UP = 0.05  # share of all steps in which the rate of the cosine schedule rises


def optimizer_of(network: nn.Module, settings: ClassifierSettings) -> torch.optim.Optimizer:
    """Optimizer of a network.

    Args:
        network: Network, on its device.
        settings: Settings of the training.
    """
    rate, betas = settings.learning_rate, (settings.beta1, settings.beta2)
    if settings.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=rate, betas=betas, eps=ADAM_EPSILON)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # biases and normalizations
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=betas, eps=ADAMW_EPSILON, fused=True)


def rate_of_step(settings: ClassifierSettings, step: int, steps: int) -> float:
    """Learning rate of one step.

    Args:
        settings: Settings of the training.
        step: Number of the step, from 0.
        steps: Number of all steps.
    """
    if settings.rate_schedule == "decay":
        return settings.learning_rate / (1 + settings.lr_decay * step)
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    share = (step - rise) / max(1, steps - rise)
    return settings.learning_rate * (1 + math.cos(math.pi * share)) / 2

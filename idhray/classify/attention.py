"""Gated attention pooling over a patient's images: a head on the features of a frozen encoder.

Source: Ilse et al. 2018 (arXiv:1802.04712), equations 8 and 9 (gated attention).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from idhray.chance import seed_for
from idhray.classify.aggregate import MIN_PROBABILITY, concordance
from idhray.classify.bags import Bags, SampledBags, sampled_bags
from idhray.errors import ConfigError, TableError, TrainingError

EncodedRows = NDArray[np.float32]  # (N, D)


@dataclass(frozen=True, kw_only=True)
class MilSettings:
    """Settings of the attention pooling. They are ours; Ilse et al. used small images."""

    embedding: int = 256
    """Width of the layer between the features and the attention."""
    attention: int = 128
    """Width of the attention."""
    dropout: float = 0.25
    """Fraction of the embedding that is dropped in training."""
    slots: int = 64
    """Images of a patient that one step sees; a prediction sees all."""
    bags_per_step: int = 8
    """Patients of one step."""
    epochs: int = 30
    """Passes over the training patients. The epoch with the least validation loss is used."""
    learning_rate: float = 2e-4
    """Learning rate of Adam."""
    weight_decay: float = 1e-4
    """L2 penalty of Adam with decoupled decay."""

    def __post_init__(self) -> None:
        for name in ("embedding", "attention", "slots", "bags_per_step", "epochs"):
            if getattr(self, name) < 1:
                raise ConfigError(f"mil.{name} must be 1 or more, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"mil.dropout must be in [0, 1), got {self.dropout}")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise ConfigError("mil.learning_rate must be above 0, mil.weight_decay 0 or more")


class AttentionHead(nn.Module):
    """Gated attention over a bag, and a logit of its mean.

    Shapes: x (B, S, D) standardized features -> logits (B,), attention (B, S), which sums to 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: MilSettings, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.embed = nn.Linear(len(mean), settings.embedding)
        self.dropout = nn.Dropout(settings.dropout)
        self.tangent = nn.Linear(settings.embedding, settings.attention)
        self.gate = nn.Linear(settings.embedding, settings.attention)
        self.score = nn.Linear(settings.attention, 1, bias=False)  # a softmax has no offset
        self.classify = nn.Linear(settings.embedding, 1)

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> "AttentionHead":
        """Head of a state, whose tensors tell its widths."""
        settings = MilSettings(
            embedding=len(tensors["embed.bias"]), attention=len(tensors["gate.bias"])
        )
        head = cls(settings, tensors["mean"], tensors["scale"])
        head.load_state_dict(dict(tensors))
        return head.eval()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.dropout(self.embed((x - self.mean) / self.scale).relu())  # (B, S, E)
        gated = self.tangent(h).tanh() * self.gate(h).sigmoid()
        attention = self.score(gated).squeeze(-1).softmax(dim=1)  # (B, S)
        pooled = (attention[..., None] * h).sum(dim=1)
        return self.classify(pooled).squeeze(-1), attention


@dataclass(frozen=True, kw_only=True)
class FittedAttention:
    """Trained attention pooling."""

    head: AttentionHead
    epoch: int
    """Selected epoch, from 1."""
    val_loss: float
    val_auc: float | None
    steps: int
    attention_added: float | None
    """Mean share of a training bag's attention that lies on added images, in the last epoch's bags
    and by the selected weights; None without added images."""
    slots_added: float | None
    """Share of the slots of these bags that show added images."""


def fit_attention(
    bags: Bags,
    real: EncodedRows,
    added: EncodedRows,
    val: Sequence[tuple[int, EncodedRows]],
    settings: MilSettings,
    *,
    bags_per_epoch: int,
    device: str = "cpu",
) -> FittedAttention:
    """Train attention pooling on the bags of one arm.

    Args:
        bags: Training images by patient.
        real: EncodedRows of the real images of the arm; they decide the scale of all features.
        added: EncodedRows of the added images.
        val: Label and features of each validation patient.
        settings: Settings of the training.
        bags_per_epoch: Bags of an epoch; equal in all arms of equal steps.
        device: Device to train on.

    Raises:
        TableError: the training patients are of one class.
        TrainingError: the loss is no longer finite.
    """
    if len(np.unique(bags.bag_labels)) < 2:
        raise TableError("attention pooling needs training patients of both classes")
    features = torch.from_numpy(np.concatenate([real, added])).to(device)
    head = initial_head(real, settings, bags.seed).to(device)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    epochs = sampled_bags(
        bags,
        bags_per_epoch=bags_per_epoch,
        bags_per_step=settings.bags_per_step,
        slots=settings.slots,
    )
    least, best, chosen, area = np.inf, head.state_dict(), 0, None
    steps: list[SampledBags] = []
    for epoch, steps in enumerate(itertools.islice(epochs, settings.epochs), 1):
        head.train()
        # Dropout depends on the epoch alone: the same in every arm.
        torch.manual_seed(seed_for(bags.seed, "bags", "dropout", epoch))
        for step in steps:
            optimizer.zero_grad()
            logits, _ = head(features[_places(step, len(real))])
            labels = torch.from_numpy(step.labels.astype(np.float32)).to(device)
            loss = F.binary_cross_entropy_with_logits(logits, labels)
            loss.backward()
            optimizer.step()
        val_loss, val_auc = _validated(head, val)
        if not np.isfinite(val_loss):
            raise TrainingError(f"epoch {epoch}: val_loss is {val_loss}; lower mil.learning_rate")
        if val_loss < least:
            least, chosen, area = val_loss, epoch, val_auc
            best = {name: value.clone() for name, value in head.state_dict().items()}
    head.load_state_dict(best)
    head.eval()
    mass, share = _mass_on_added(head, features, steps, len(real)) if len(added) else (None, None)
    return FittedAttention(
        head=head,
        epoch=chosen,
        val_loss=float(least),
        val_auc=area,
        steps=len(steps) * settings.epochs,
        attention_added=mass,
        slots_added=share,
    )


def initial_head(real: EncodedRows, settings: MilSettings, seed: int) -> AttentionHead:
    """Head with random weights, and the scale of the real training images."""
    mean = torch.from_numpy(real.mean(axis=0, dtype=np.float64).astype(np.float32))
    deviation = real.std(axis=0, dtype=np.float64)
    scale = torch.from_numpy(np.where(deviation > 0, deviation, 1).astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "bags", "weights"))
        return AttentionHead(settings, mean, scale)


def _places(step: SampledBags, n_real: int) -> Tensor:
    """Places of the images of a step in the real features, followed by the added ones."""
    return torch.from_numpy(step.images + n_real * step.added)


def patient_probability(head: AttentionHead, features: EncodedRows) -> float:
    """Probability of IDH mutation of one patient from all its images, (M, D)."""
    with torch.inference_mode():
        x = torch.from_numpy(features)[None].to(head.mean.device)
        return float(head(x)[0].double().sigmoid())


def _validated(
    head: AttentionHead, val: Sequence[tuple[int, EncodedRows]]
) -> tuple[float, float | None]:
    """Mean log loss and AUC of the validation patients."""
    head.eval()
    labels = np.array([label for label, _ in val], np.int8)
    p = np.array([patient_probability(head, features) for _, features in val])
    p = p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    loss = -np.where(labels == 1, np.log(p), np.log1p(-p)).mean()
    return float(loss), concordance(labels, p)


def _mass_on_added(
    head: AttentionHead, features: Tensor, steps: Sequence[SampledBags], n_real: int
) -> tuple[float, float]:
    """Mean attention on added images of the bags of an epoch, and their share of the slots."""
    masses = []
    with torch.inference_mode():
        for step in steps:
            _, attention = head(features[_places(step, n_real)])
            on_added = attention.cpu() * torch.from_numpy(step.added)
            masses.append(on_added.sum(dim=1).double().numpy())
    added = np.concatenate([step.added for step in steps])
    return float(np.concatenate(masses).mean()), float(added.mean())

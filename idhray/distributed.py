"""Data-parallel training without a wrapper: who this worker is, and averages over all workers.

Gradients are averaged by one flat all-reduce after a backward pass. DistributedDataParallel
expects one network and one backward a step; GAN training has two networks and several.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from idhray.errors import ConfigError


@dataclass(frozen=True)
class Worker:
    """One of `size` workers; `Worker()` is a run without any others."""

    rank: int = 0
    size: int = 1

    def share(self, batch_size: int) -> slice:
        """This worker's part of a global batch, so that any number of workers sees one batch.

        Raises:
            ConfigError: the batch does not divide evenly.
        """
        if batch_size % self.size:
            raise ConfigError(f"batch size {batch_size} does not divide over {self.size} workers")
        part = batch_size // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all workers, in one message."""
        found = list(tensors)
        if self.size == 1 or not found:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in found])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, part in zip(found, flat.split([t.numel() for t in found]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def average_gradients(self, network: nn.Module) -> None:
        """`average` of every gradient of a network; a missing one counts as zero."""
        if self.size == 1:
            return
        parameters = [p for p in network.parameters() if p.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.average(p.grad for p in parameters if p.grad is not None)

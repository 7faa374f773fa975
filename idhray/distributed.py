"""Data-parallel training without a wrapper: rank of this worker, and averages over all workers.

Gradients are averaged by one flat all-reduce after a backward pass. DistributedDataParallel
expects one network and one backward pass per step; GAN training has two networks and several.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from idhray.errors import ConfigError


@dataclass(frozen=True)
class Worker:
    """One of `size` workers; `Worker()` is the only worker of a run."""

    rank: int = 0
    size: int = 1

    def share(self, batch_size: int) -> slice:
        """This worker's part of a global batch, whose size does not depend on the worker count.

        Raises:
            ConfigError: The batch size is not a multiple of the number of workers.
        """
        if batch_size % self.size:
            raise ConfigError(f"batch size {batch_size} does not divide over {self.size} workers")
        part = batch_size // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all workers, in one all-reduce."""
        local = list(tensors)
        if self.size == 1 or not local:
            return
        flat = torch.cat([tensor.detach().flatten() for tensor in local])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(local, flat.split([t.numel() for t in local]), strict=True):
            tensor.detach().copy_(mean.view_as(tensor))

    def average_gradients(self, network: nn.Module) -> None:
        """Average every gradient of a network; a missing gradient counts as zero."""
        if self.size == 1:
            return
        parameters = [p for p in network.parameters() if p.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.average(p.grad for p in parameters if p.grad is not None)

"""Shares of a batch and averages over workers."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from idhray.distributed import Worker
from idhray.errors import ConfigError


def test_shares_cover_the_batch_in_order():
    """Concatenated by rank they are the batch of one worker."""
    batch = list(range(12))
    shares = [batch[Worker(rank, 3).share(12)] for rank in range(3)]

    assert [item for share in shares for item in share] == batch
    with pytest.raises(ConfigError, match="does not divide over 5 workers"):
        Worker(0, 5).share(12)


def average_in_process(rank, path):
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    network = nn.Linear(2, 1)
    network.weight.grad = torch.tensor([[1.0, 2.0]]) * (rank + 1)
    if rank == 0:  # the other one has no gradient of its bias: it counts as zero
        network.bias.grad = torch.tensor([4.0])
    Worker(rank, 2).average_gradients(network)
    assert network.weight.grad.tolist() == [[1.5, 3.0]]
    assert network.bias.grad.tolist() == [2.0]
    dist.destroy_process_group()


def test_two_workers_average_their_gradients(tmp_path):
    """By hand: (1 + 2) / 2, (2 + 4) / 2, (4 + 0) / 2."""
    mp.spawn(average_in_process, args=(tmp_path / "store",), nprocs=2)


def test_one_worker_changes_nothing():
    """And needs no process group."""
    tensor = torch.tensor([1.0, 2.0])
    Worker().average([tensor])

    assert tensor.tolist() == [1.0, 2.0]

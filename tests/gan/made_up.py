"""Runs for the tests of training: tiny settings of all architectures, one and two workers."""

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed as dist

from idhray.distributed import Worker
from idhray.gan.config import is_conditional
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.run import StyleGan2Run
from idhray.gan.trainer import new_run, train

PGGAN = PgganSettings(
    resolution_px=8,
    latent_size=8,
    fmap_base=16,
    fmap_max=8,
    stabilise_kimg=0.04,
    fade_kimg=0.04,
    total_kimg=0.2,
    batch_sizes=(8, 8),
    symmetry="dihedral",
    checkpoint_kimg=0.04,
    sample_kimg=0.1,
)
STYLEGAN2 = StyleGan2Settings(
    resolution_px=8,
    latent_size=8,
    mapping_layers=2,
    fmap_base=16,
    fmap_max=8,
    batch_size=8,
    total_kimg=0.2,
    r1_interval=4,
    path_length_interval=3,
    ema_half_life_kimg=0.02,
    symmetry="dihedral",
    checkpoint_kimg=0.04,
    sample_kimg=0.1,
)
DIFFUSION = DiffusionSettings(
    resolution_px=8,
    width=8,
    width_factors=(1, 2),
    blocks=1,
    attention_px=4,
    batch_size=8,
    total_kimg=0.2,
    learning_rate=1e-3,
    ema_half_life_kimg=0.02,
    sampling_steps=3,
    symmetry="dihedral",
    patient_weights="images",
    checkpoint_kimg=0.04,
    sample_kimg=0.1,
)
BY_NAME = {
    "pggan": PGGAN,
    "stylegan2": STYLEGAN2,
    "diffusion": DIFFUSION,
    "stylegan2-both": replace(STYLEGAN2, conditional=True),
    "diffusion-both": replace(DIFFUSION, conditional=True),
}
ALL = pytest.mark.parametrize("settings", [pytest.param(s, id=name) for name, s in BY_NAME.items()])
"""Tiny settings of each architecture, and of those that one network of both classes can have."""


def noise_images(count=19, side=8, channels=3):
    """Images of nothing."""
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)


def classes_of(count):
    """Classes of made-up images: a third are mutant."""
    return tuple(int(n % 3 == 0) for n in range(count))


def start(settings, *, worker=None, images=None, seed=5, patients=("b", "a"), engine=None):
    """A new run of these settings."""
    if images is None:
        images = noise_images(side=settings.resolution_px, channels=settings.channels)
    return new_run(
        images,
        settings,
        seed=seed,
        idh="both" if is_conditional(settings) else "mutant",
        patients=patients,
        classes=classes_of(len(images)) if is_conditional(settings) else None,
        worker=worker,
        engine=engine,
    )


def ignore(run, report):
    """No samples, no checkpoints."""


def all_values(run):
    """Every weight and running mean of a run, in one row."""
    networks = run.networks.values()
    found = [v.detach().flatten() for n in networks for v in n.state_dict().values()]
    if isinstance(run, StyleGan2Run):
        found.append(run.path_length_mean.view(1))
    return torch.cat(found)


def trained_by_two(trainings, folder: Path, until_kimg: float):
    """For each of the settings: (values, reports) of both workers after training together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {"port": port, "trainings": trainings, "folder": folder, "until_kimg": until_kimg}
    mp.spawn(_train_as_worker, (job,), nprocs=2)
    by_rank = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]
    return list(zip(*by_rank, strict=True))


def _train_as_worker(rank, job):
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{job['port']}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    trained = []
    for settings in job["trainings"]:
        run, reports = start(settings, worker=Worker(rank, 2)), []
        train(run, lambda _, report, to=reports: to.append(report), until_kimg=job["until_kimg"])
        trained.append((all_values(run), reports))
    torch.save(trained, job["folder"] / f"{rank}.pt")
    dist.destroy_process_group()

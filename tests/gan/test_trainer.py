"""Training: it learns, continues exactly, and does not depend on the number of workers."""

import dataclasses
import math
import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed as dist

from idhray.distributed import Worker
from idhray.errors import ConfigError, IdhrayError
from idhray.gan.checkpoint import restore, save
from idhray.gan.config import GanSettings
from idhray.gan.sample import generate, generator_of
from idhray.gan.trainer import new_run, step, train

TINY = GanSettings(
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


def noise_images(count=19, side=8):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def start(settings=TINY, *, worker=None, images=None, seed=5):
    images = noise_images() if images is None else images
    return new_run(images, settings, seed=seed, idh="mutant", patients=("b", "a"), worker=worker)


def ignore(run, report):
    """No samples, no checkpoints."""


def all_parameters(run):
    networks = (run.generator, run.discriminator, run.average)
    return torch.cat([p.detach().flatten() for n in networks for p in n.parameters()])


def test_gan_learns_the_two_colours_of_its_images():
    """Half of the images are red, half are blue; so are the generated ones, none in between."""
    colours = np.array([[220, 30, 30], [30, 30, 220]], np.uint8)
    images = np.broadcast_to(np.repeat(colours, 16, 0)[:, None, None, :], (32, 4, 4, 3))
    settings = GanSettings(
        resolution_px=4, latent_size=4, fmap_base=32, fmap_max=16, batch_sizes=(8,),
        total_kimg=2.0, learning_rate=2e-2, ema_decay=0.95,
    )  # fmt: skip
    run = start(settings, images=np.ascontiguousarray(images))
    train(run, ignore)
    made = generate(generator_of(run), 0, range(64)).mean((1, 2))
    nearest = np.abs(made[:, None] - colours).max(-1)

    assert np.median(nearest.min(1)) < 30
    assert 0.3 < nearest.argmin(1).mean() < 0.7


@pytest.mark.parametrize("saved_at_kimg", [0.04, 0.064, 0.12])
def test_resumed_training_equals_unbroken_training(tmp_path, saved_at_kimg):
    """Bit for bit: networks, EMA, Adam; saved before, while and after a level fades in."""
    unbroken = start()
    train(unbroken, ignore)
    first = start()
    train(first, ignore, until_kimg=saved_at_kimg)
    save(first, str(tmp_path))
    second = start()
    restore(second, str(tmp_path))
    train(second, ignore)

    assert second.images_shown == unbroken.images_shown == 200
    assert torch.equal(all_parameters(second), all_parameters(unbroken))


def test_moments_start_anew_with_each_phase():
    """At the start of a fade and at its end, as in the authors' code; not in between."""
    run = start()
    changes = []
    for _ in range(14):
        before, at = run.d_optimizer, run.images_shown
        step(run)
        changes += [at] if run.d_optimizer is not before else []

    assert changes == [0, 48, 80]


def test_reports_come_when_due_and_at_the_end():
    """Checkpoints at 40, 80, ... images, samples at 100 and 200; both at the end."""
    reports = []
    run = start()
    train(run, lambda _, report: reports.append(report))

    due = [(round(r.kimg * 1000), r.sample_due, r.checkpoint_due) for r in reports]
    assert due == [
        (40, False, True),
        (80, False, True),
        (104, True, False),
        (120, False, True),
        (160, False, True),
        (200, True, True),
    ]
    assert (reports[1].level, reports[-1].level) == (1, 1)
    assert all(math.isfinite(r.d_loss + r.g_loss + r.wasserstein) for r in reports)


def test_diverged_training_says_so():
    """Not a finished run full of NaN."""
    run = start()
    with torch.no_grad():
        run.generator.rgb[0].weight.fill_(float("nan"))

    with pytest.raises(IdhrayError, match=r"diverged before 0\.04 kimg"):
        train(run, ignore)


def test_average_follows_the_generator_by_its_decay():
    """EMA <- decay * EMA + (1 - decay) * G, with G from before its step."""
    run = start(dataclasses.replace(TINY, ema_decay=0.75))
    step(run)
    name = "blocks.0.conv.weight"
    average, g = run.average.state_dict()[name].clone(), run.generator.state_dict()[name].clone()
    step(run)

    torch.testing.assert_close(run.average.state_dict()[name], 0.75 * average + 0.25 * g)


def test_workers_whose_shares_break_a_group_are_refused():
    """8 images on 4 workers would change the minibatch std."""
    with pytest.raises(ConfigError, match="batch size 8 at 4 px does not divide over 4 workers"):
        start(worker=Worker(0, 4))


def _train_as_worker(rank, size, port, folder):
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=size)
    run = start(worker=Worker(rank, size))
    reports = []
    train(run, lambda _, report: reports.append(report.d_loss), until_kimg=0.056)
    torch.save((all_parameters(run), reports), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_workers_train_what_one_trains(tmp_path):
    """The same global batches and averaged gradients, but for rounding; a fade is included."""
    alone, losses = start(), []
    train(alone, lambda _, report: losses.append(report.d_loss), until_kimg=0.056)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(_train_as_worker, (2, port, str(tmp_path)), nprocs=2)
    (a, a_losses), (b, b_losses) = (torch.load(tmp_path / f"{k}.pt") for k in range(2))

    assert torch.equal(a, b)
    assert a_losses == b_losses == pytest.approx(losses, rel=1e-3)
    assert (a - all_parameters(alone)).abs().max() < 2e-3

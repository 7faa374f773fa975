"""Training: it learns, continues exactly, and does not depend on the number of workers."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from idhray.distributed import Worker
from idhray.errors import ConfigError, IdhrayError, TrainingError
from idhray.gan.checkpoint import restore, save
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.sample import generate, generator_of
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.trainer import new_run, train
from tests.gan.made_up import (
    ALL,
    BY_NAME,
    PGGAN,
    STYLEGAN2,
    all_values,
    ignore,
    noise_images,
    start,
    trained_by_two,
)

LEARNERS = [
    pytest.param(
        PgganSettings(
            resolution_px=4, latent_size=4, fmap_base=32, fmap_max=16, batch_sizes=(8,),
            total_kimg=2.0, learning_rate=2e-2, ema_decay=0.95,
        ),
        id="pggan",
    ),
    pytest.param(
        StyleGan2Settings(
            resolution_px=8, latent_size=4, mapping_layers=2, mapping_lr=0.1, fmap_base=32,
            fmap_max=16, batch_size=8, total_kimg=1.6, learning_rate=1e-2, r1_gamma=1.0,
            style_mixing=0.0, ema_half_life_kimg=0.1,
        ),
        id="stylegan2",
    ),
    pytest.param(
        DiffusionSettings(
            resolution_px=8, width=16, width_factors=(1, 2), blocks=1, attention_px=0,
            batch_size=8, total_kimg=2.4, learning_rate=2e-3, ema_half_life_kimg=0.1,
            sampling_steps=8, patient_weights="images",
        ),
        id="diffusion",
    ),
]  # fmt: skip


@pytest.mark.parametrize("settings", LEARNERS)
def test_a_generator_learns_the_two_colors_of_its_images(settings):
    """Half of the images are red, half are blue; so are the generated ones, none in between."""
    side = settings.resolution_px
    colors = np.array([[220, 30, 30], [30, 30, 220]], np.uint8)
    images = np.broadcast_to(np.repeat(colors, 16, 0)[:, None, None, :], (32, side, side, 3))
    run = start(settings, images=np.ascontiguousarray(images), seed=6)
    train(run, ignore)
    made = generate(generator_of(run), 0, range(64)).mean((1, 2))
    nearest = np.abs(made[:, None] - colors).max(-1)

    assert np.median(nearest.min(1)) < 30
    assert 0.3 < nearest.argmin(1).mean() < 0.7


@ALL
@pytest.mark.parametrize("saved_at_kimg", [0.04, 0.064, 0.12])
def test_resumed_training_equals_unbroken_training(tmp_path, settings, saved_at_kimg):
    """Bit for bit: networks, EMA, Adam, running means, and the turn of each penalty.

    Saved before, while and after PGGAN's second level fades in.
    """
    unbroken = start(settings)
    train(unbroken, ignore)
    first = start(settings)
    train(first, ignore, until_kimg=saved_at_kimg)
    save(first, str(tmp_path))
    second = start(settings)
    restore(second, str(tmp_path))
    train(second, ignore)

    assert second.images_shown == unbroken.images_shown == 200
    assert torch.equal(all_values(second), all_values(unbroken))


def test_resumed_run_keeps_the_mean_path_length(tmp_path):
    """The penalty draws to it; it is in no network."""
    first = start(STYLEGAN2)
    train(first, ignore, until_kimg=0.08)
    save(first, str(tmp_path))
    second = start(STYLEGAN2)
    restore(second, str(tmp_path))

    assert first.path_length_mean > 0
    assert torch.equal(second.path_length_mean, first.path_length_mean)


@ALL
def test_reports_come_when_due_and_at_the_end(settings):
    """Checkpoints at 40, 80, ... images, samples at 100 and 200; both at the end."""
    reports = []
    run = start(settings)
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
    assert (reports[1].level, reports[-1].level, reports[-1].alpha) == (1, 1, 1)
    for report in reports:
        values = [each for each in report.losses.values() if each is not None]
        assert values
        assert all(map(math.isfinite, values))


def test_penalties_are_reported_where_they_were_taken():
    """Of steps 0 to 4, 5 to 9, 10 to 12: R1 at 0, 4, 8, 12, path length at 0, 3, 6, 9, 12."""
    reports = []
    train(start(STYLEGAN2), lambda _, report: reports.append(report), until_kimg=0.104)
    train(start(PGGAN), lambda _, report: reports.append(report), until_kimg=0.04)

    penalties = [(r.losses["r1"], r.losses["path_length"]) for r in reports]
    assert [None not in pair for pair in penalties] == [True] * 3 + [False]


@ALL
def test_diverged_training_says_so(settings):
    """Not a finished run full of NaN."""
    run = start(settings)
    with torch.no_grad():
        *_, last = run.networks.values()  # the discriminator, if there is one
        next(last.parameters()).fill_(float("nan"))
        if settings is PGGAN:
            run.generator.rgb[0].weight.fill_(float("nan"))

    with pytest.raises(IdhrayError, match=r"diverged before 0\.04 kimg"):
        train(run, ignore)


@ALL
def test_memory_that_runs_out_is_one_line_with_what_would_fit(settings, monkeypatch):
    """Half of the 8 images at a time; a traceback helps nobody."""

    def step():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    run = start(settings)
    monkeypatch.setattr(run, "step", step)

    with pytest.raises(TrainingError, match=r"8 images of .* --micro-batch 4 \(") as caught:
        train(run, ignore)

    assert "\n" not in str(caught.value)


def test_other_errors_of_a_step_are_not_hidden(monkeypatch):
    """Only memory is explained."""

    def step():
        raise RuntimeError("shapes do not match")

    run = start(STYLEGAN2)
    monkeypatch.setattr(run, "step", step)

    with pytest.raises(RuntimeError, match="shapes"):
        train(run, ignore)


@ALL
def test_a_training_that_is_asked_to_stop_reports_a_checkpoint_and_continues_exactly(
    tmp_path, settings
):
    """After its seventh step, between checkpoints; what follows is what would have been."""
    reports, asked = [], iter([False] * 6 + [True])
    unbroken, first, second = start(settings), start(settings), start(settings)
    train(unbroken, ignore)
    over = train(first, lambda _, report: reports.append(report), stop=lambda: next(asked))
    save(first, str(tmp_path))
    restore(second, str(tmp_path))

    assert not over
    assert (reports[-1].kimg, reports[-1].checkpoint_due) == (0.056, True)
    assert train(second, ignore)
    assert torch.equal(all_values(second), all_values(unbroken))


def test_a_report_that_says_so_ends_the_training(tmp_path):
    """As when fidelity gets worse and worse."""
    run = start(STYLEGAN2)

    assert train(run, lambda _, report: report.kimg >= 0.08)
    assert run.images_shown == 80


def test_fidelity_is_due_as_often_as_asked():
    """At 72, 144 and, last, 200 images; without it never."""
    reports, plain = [], []
    train(start(STYLEGAN2), lambda _, report: reports.append(report), fidelity_kimg=0.07)
    train(start(STYLEGAN2), lambda _, report: plain.append(report))

    assert [r.kimg for r in reports if r.fidelity_due] == [0.072, 0.144, 0.2]
    assert not any(r.fidelity_due for r in plain)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PGGAN, "batch size 8 at 4 px does not divide over 4 workers"),
        (STYLEGAN2, "batch_size 8 does not divide over 4 workers"),
    ],
)
def test_workers_whose_shares_break_a_group_are_refused(settings, message):
    """8 images on 4 workers would change the minibatch std."""
    with pytest.raises(ConfigError, match=message):
        start(settings, worker=Worker(0, 4))


@pytest.fixture(scope="module")
def trained_together(tmp_path_factory):
    """All architectures, one after the other, trained by the same two processes."""
    folder, settings = tmp_path_factory.mktemp("two"), list(BY_NAME.values())
    return dict(zip(settings, trained_by_two(settings, folder, 0.056), strict=True))


@ALL
def test_two_workers_train_what_one_trains(trained_together, settings):
    """The same global batches and averaged gradients, but for rounding.

    A fade of PGGAN is included, and both penalties of StyleGAN2, twice each.
    """
    alone, reports = start(settings), []
    train(alone, lambda _, report: reports.append(report), until_kimg=0.056)
    (a, a_reports), (b, b_reports) = trained_together[settings]

    assert torch.equal(a, b)
    for name in reports[0].losses:
        expected = [r.losses[name] for r in reports]
        for found in (a_reports, b_reports):
            assert [r.losses[name] for r in found] == [
                value if value is None else pytest.approx(value, rel=1e-3) for value in expected
            ]
    # Weights before a norm of one feature map have no slope but rounding, which Adam enlarges.
    assert (a - all_values(alone)).abs().max() < 3e-3


@pytest.mark.parametrize("settings", [each for each in LEARNERS if each.id != "pggan"])
def test_one_network_learns_the_color_of_each_class(settings):
    """Red is wildtype and blue is mutant, by three to one; few images are of the other class."""
    side = settings.resolution_px
    colors = np.array([[220, 30, 30], [30, 30, 220]], np.uint8)
    classes = tuple([0] * 24 + [1] * 8)
    images = np.broadcast_to(colors[list(classes)][:, None, None, :], (32, side, side, 3))
    run = new_run(
        np.ascontiguousarray(images),
        dataclasses.replace(settings, conditional=True),
        seed=6,
        idh="both",
        patients=("a", "b"),
        classes=classes,
    )
    train(run, ignore)
    for label, color in enumerate(colors):
        shown = generate(generator_of(run, label), 0, range(32)).mean((1, 2))

        assert np.median(np.abs(shown - color).max(1)) < 30
        assert (np.abs(shown[:, None] - colors).max(-1).argmin(1) == label).mean() > 0.9


def test_classes_that_do_not_fit_are_refused():
    """Networks of one class take none; those of both need images of each."""
    images, both = noise_images(4), dataclasses.replace(STYLEGAN2, conditional=True)

    def begin(settings, classes):
        new_run(images, settings, seed=1, idh="both", patients=("a",), classes=classes)

    for settings, classes in ((STYLEGAN2, (0, 1, 0, 1)), (both, None)):
        with pytest.raises(ConfigError, match="a conditional generator, and no other"):
            begin(settings, classes)
    for classes in ((0, 0, 0, 0), (0, 1, 0)):
        with pytest.raises(ConfigError, match="needs images of both classes"):
            begin(both, classes)

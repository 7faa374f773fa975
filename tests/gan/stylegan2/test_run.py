"""A step of StyleGAN2: which penalties, what Adam does about them, running means, mixing."""

import dataclasses

import pytest
import torch

from idhray.distributed import Worker
from idhray.gan.stylegan2 import run as stylegan2_run
from idhray.gan.stylegan2.config import PRESETS
from idhray.gan.stylegan2.run import lazy_adam, mixing_cutoff
from tests.gan.made_up import STYLEGAN2, start


def test_penalties_take_their_turn_by_steps_done():
    """R1 at steps 0, 4, 8...; path length at 0, 3, 6...; what was trained before is no matter."""
    run = start(STYLEGAN2)
    found = [sorted(run.step()) for _ in range(9)]

    assert [step for step, names in enumerate(found) if "r1" in names] == [0, 4, 8]
    assert [step for step, names in enumerate(found) if "path_length" in names] == [0, 3, 6]


def test_penalties_of_no_weight_are_not_taken():
    """Neither their time nor the correction of Adam."""
    run = start(dataclasses.replace(STYLEGAN2, r1_gamma=0.0, path_length_weight=0.0))

    assert sorted(run.step()) == ["d_loss", "g_loss", "score_gap"]
    for optimizer in (run.g_optimizer, run.d_optimizer):
        assert optimizer.param_groups[0]["lr"] == 2e-3
        assert optimizer.param_groups[0]["betas"] == (0.0, 0.99)


@pytest.mark.parametrize(("interval", "c"), [(16, 16 / 17), (4, 4 / 5), (None, 1)])
def test_adam_is_corrected_for_lazy_steps(interval, c):
    """Appendix B: rate times c, betas to the power of c, c = k / (k + 1)."""
    weight = torch.nn.Parameter(torch.zeros(1))
    group = lazy_adam([weight], PRESETS["park2021"], interval).param_groups[0]

    assert group["lr"] == pytest.approx(2e-3 * c)
    assert group["betas"] == (0.0, pytest.approx(0.99**c))
    assert group["eps"] == 1e-8


def test_networks_take_a_step_more_for_each_penalty():
    """The same Adam does both, and counts it for weights that no penalty reaches, too."""
    run = start(STYLEGAN2)
    for _ in range(9):
        run.step()
    counts = [
        {int(state["step"]) for state in optimizer.state.values()}
        for optimizer in (run.g_optimizer, run.d_optimizer)
    ]

    assert counts == [{9 + 3}, {9 + 3}]


def test_average_follows_the_generator_by_its_half_life():
    """EMA <- b EMA + (1 - b) G after its step, b = 0.5^(batch / half-life): 0.5^(8 / 20)."""
    run = start(STYLEGAN2)
    run.step()
    name = "synthesis.first.weight"
    before = run.average.state_dict()[name].clone()
    run.step()
    beta = 0.5 ** (8 / 20)
    expected = beta * before + (1 - beta) * run.generator.state_dict()[name]

    torch.testing.assert_close(run.average.state_dict()[name], expected)
    assert torch.equal(run.average.w_average, run.generator.w_average)


def test_mean_w_follows_the_first_latents():
    """w_average <- 0.995 w_average + 0.005 mean(w), of the generator as it was."""
    run = start(STYLEGAN2)
    run.step()
    before = run.generator.w_average.clone()
    latents = torch.randn(2, 8, 8, generator=run.chance("gan generator"))
    with torch.no_grad():
        mean = run.generator.mapping(latents[0]).mean(0)
    run.step()

    torch.testing.assert_close(run.generator.w_average, 0.995 * before + 0.005 * mean)


def test_mean_path_length_follows_the_lengths():
    """a <- 0.99 a + 0.01 mean(lengths), from 0; only in the steps that measure them."""
    run = start(STYLEGAN2)
    lengths = [run.step().get("path_length") for _ in range(5)]
    first, second = lengths[0], lengths[3]

    assert lengths[1] is lengths[2] is lengths[4] is None
    torch.testing.assert_close(run.path_length_mean, 0.99 * 0.01 * first + 0.01 * second)


def test_penalties_are_weighed_for_the_steps_they_are_left_out(monkeypatch):
    """Gamma / 2 times R1, 2 times the squared distance of lengths to a; each times its interval."""
    found, lengths = [], []

    def descended(optimizer, parts, worker, dtype=torch.float32):
        found.append(sum(part.item() for part in parts))
        return torch.tensor(found[-1])

    run = start(dataclasses.replace(STYLEGAN2, r1_gamma=3.0))
    measured = run.phases.lengths
    monkeypatch.setattr(
        run.phases, "lengths", lambda *args: lengths.append(measured(*args)) or lengths[-1]
    )
    monkeypatch.setattr(stylegan2_run, "descend", descended)
    said = run.step()
    _, path_loss, _, r1_loss = found
    away = (lengths[0] - 0.01 * lengths[0].mean()).square().mean().item()

    assert r1_loss == pytest.approx(3.0 / 2 * 4 * said["r1"].item())
    assert path_loss == pytest.approx(2.0 * 3 * away, rel=1e-5)


def test_path_length_takes_half_a_batch(monkeypatch):
    """And each worker its share of that half."""
    counts = []
    monkeypatch.setattr(Worker, "average", lambda self, tensors: list(tensors))
    for worker in (Worker(0, 1), Worker(1, 2)):
        run = start(STYLEGAN2, worker=worker)
        measured = run.phases.lengths
        monkeypatch.setattr(
            run.phases,
            "lengths",
            lambda latents, directions, measured=measured: (
                counts.append((latents.pairs.shape[1], len(latents.noise), len(directions)))
                or measured(latents, directions)
            ),
        )
        run.step()

    assert counts == [(4, 4, 4), (2, 2, 2)]


def test_cutoffs_are_drawn_as_often_as_asked():
    """9 batches in 10 are mixed, from each layer but the first alike; else none is."""
    chance = torch.Generator().manual_seed(0)
    drawn = torch.stack([mixing_cutoff(0.9, 6, chance) for _ in range(6000)])
    shares = torch.bincount(drawn, minlength=7) / 6000

    torch.testing.assert_close(
        shares, torch.tensor([0, 0.18, 0.18, 0.18, 0.18, 0.18, 0.10]), atol=0.02, rtol=0
    )
    assert {int(mixing_cutoff(0.0, 6, chance)) for _ in range(50)} == {6}
    assert 6 not in {int(mixing_cutoff(1.0, 6, chance)) for _ in range(50)}


def test_frozen_blocks_do_not_move():
    """Nor do they take Adam's memory; the others do move, R1 passes through."""
    run = start(dataclasses.replace(STYLEGAN2, resolution_px=16), images=None)
    run.discriminator.freeze(1)
    run.start_optimizers()
    before = {k: v.clone() for k, v in run.discriminator.state_dict().items()}
    run.step()
    moved = {k for k, v in run.discriminator.state_dict().items() if not torch.equal(v, before[k])}

    assert moved == {k for k in before if not k.startswith(("from_image", "blocks.0."))}

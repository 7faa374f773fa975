"""Diffusion models: loss, sampler, average, parts of a batch, and weights of another one."""

import dataclasses
import sys

import pytest
import torch
from torch import nn

from idhray.errors import ConfigError
from idhray.gan.checkpoint import read_model, read_settings, save
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.diffusion.networks import DiffusionNetwork, diffusion_images, import_diffusers
from idhray.gan.diffusion.run import transfer_weights
from idhray.gan.engine import Engine
from idhray.gan.growth import full_growth
from idhray.gan.sample import generate, generator_of, load_generator
from idhray.gan.trainer import train
from idhray.gan.weights import TransferSource, read_weights
from tests.gan.made_up import DIFFUSION, all_values, ignore, start

SHAPE = (3, 8, 8)


class KnownVelocity(nn.Module):
    """The exact velocity when every image is the same one."""

    shape = SHAPE

    def __init__(self, image, steps):
        super().__init__()
        self.image, self.sampling_steps, self.times = image, steps, []

    def forward(self, images, times, dtype, labels=None):
        self.times += times[:1].tolist()
        return (images - self.image) / times[:, None, None, None]  # noise - image


@pytest.mark.parametrize("steps", [1, 2, 12])
def test_the_sampler_goes_from_noise_to_the_image_of_the_exact_velocity(steps):
    """Straight ways need one step; more steps end at the same image."""
    image = torch.rand(SHAPE) * 2 - 1
    network = KnownVelocity(image, steps)
    latents = torch.randn(5, image.numel())
    made = diffusion_images(network, latents, None, full_growth(8), torch.float32)

    torch.testing.assert_close(made, image.expand_as(made), atol=2e-5, rtol=0)
    assert len(network.times) == 2 * steps - 1
    assert network.times[0] == 1.0
    assert network.times == sorted(network.times, reverse=True)


def test_the_loss_is_that_of_the_velocity(monkeypatch):
    """A network that knows the noise and the image has none; one that answers 0 has their power."""
    run = start(DIFFUSION)
    reals, noise = torch.rand(4, *SHAPE), torch.randn(4, *SHAPE)
    seen = []

    def answers(velocity):
        def network(images, times, dtype, labels):
            seen.append((images, times))
            return velocity

        return network

    times = torch.tensor([0.0, 0.25, 0.5, 1.0])
    monkeypatch.setattr(run.phase, "_network", answers(noise - reals))
    assert run.phase.loss(reals, noise, times) == 0
    monkeypatch.setattr(run.phase, "_network", answers(torch.zeros_like(reals)))
    assert run.phase.loss(reals, noise, times) == pytest.approx(
        (noise - reals).square().mean().item()
    )
    images, _ = seen[0]
    torch.testing.assert_close(images[0], reals[0])
    torch.testing.assert_close(images[1], 0.75 * reals[1] + 0.25 * noise[1])
    torch.testing.assert_close(images[3], noise[3])


def test_times_follow_their_setting(monkeypatch):
    """Logit-normal: a mean of 2 prefers noise."""
    run = start(dataclasses.replace(DIFFUSION, time_mean=2.0, time_sd=0.5))
    seen = []
    loss = run.phase.loss
    monkeypatch.setattr(run.phase, "loss", lambda r, n, t, c: seen.append(t) or loss(r, n, t, c))
    for _ in range(25):
        run.step()
    logits = torch.logit(torch.cat(seen))

    assert logits.mean() == pytest.approx(2.0, abs=0.15)
    assert logits.std() == pytest.approx(0.5, abs=0.1)


def test_parts_of_a_batch_add_up_to_it():
    """A small GPU trains what a large one does."""
    whole, parts = start(DIFFUSION), start(DIFFUSION, engine=Engine(micro_batch=4))
    losses = [run.step()["loss"] for run in (whole, parts)]

    torch.testing.assert_close(losses[1], losses[0])
    for one, other in zip(whole.generator.parameters(), parts.generator.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, atol=1e-6, rtol=1e-4)


def test_the_average_follows_a_20th_of_the_images_at_first():
    """8 images after 16: half-life 0.8 images, so that the first weights are gone."""
    run = start(dataclasses.replace(DIFFUSION, ema_half_life_kimg=100.0))
    train(run, ignore, until_kimg=0.04)
    name, new = next(iter(run.generator.named_parameters()))
    averaged = dict(run.average.named_parameters())[name]

    assert not torch.equal(averaged, new)
    torch.testing.assert_close(averaged, new, atol=2e-3, rtol=0)


def test_images_of_a_checkpoint_are_those_of_its_run(tmp_path):
    """uint8 of the right shape, the same whatever else is asked for, other ones by seed."""
    run = start(DIFFUSION)
    train(run, ignore, until_kimg=0.04)
    save(run, str(tmp_path))
    loaded = load_generator(str(tmp_path))
    images = generate(loaded, 3, [5, 0])

    assert images.shape == (2, 8, 8, 3)
    assert (images == generate(generator_of(run), 3, range(6))[[5, 0]]).all()
    assert (images != generate(loaded, 4, [5, 0])).any()
    with pytest.raises(ConfigError, match="a diffusion model has no truncation"):
        generate(loaded, 3, [0], psi=0.7)


def test_a_run_starts_from_another_ones_weights(tmp_path):
    """Both networks and a new optimizer; other networks are refused with the setting."""
    first = start(DIFFUSION)
    train(first, ignore, until_kimg=0.04)
    save(first, str(tmp_path))
    model = read_model(str(tmp_path))
    source = TransferSource(
        folder=str(tmp_path),
        model=model,
        settings=read_settings(model),
        weights=read_weights(str(tmp_path)),
    )
    second = start(DIFFUSION, seed=9)
    transfer_weights(second, source, 0, adapt_channels=False)

    assert torch.equal(all_values(second), all_values(first))
    assert not second.optimizer.state
    wider = start(dataclasses.replace(DIFFUSION, width=16))
    with pytest.raises(ConfigError, match="width: was 8, now 16"):
        transfer_weights(wider, source, 0, adapt_channels=False)
    with pytest.raises(ConfigError, match="neither --freeze-layers"):
        transfer_weights(second, source, 1, adapt_channels=False)


def test_reduced_precision_is_bfloat16(monkeypatch):
    """Scores stay near those of float32; float16 is refused."""
    exact, reduced = start(DIFFUSION), start(DIFFUSION, engine=Engine(precision="bfloat16"))
    losses = [float(run.step()["loss"]) for run in (exact, reduced)]

    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    with pytest.raises(ConfigError, match="--precision float32"):
        start(DIFFUSION, engine=Engine(precision="float16"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution_px": 96}, "power of two >= 8"),
        ({"width": 12}, "multiple of 8, got 12"),
        ({"width_factors": ()}, "width_factors must be 1 to 3 numbers"),
        ({"width_factors": (1, 0)}, "width_factors must be"),
        ({"width_factors": (1, 1, 1, 1)}, "width_factors must be 1 to 3 numbers"),
        ({"attention_px": 16}, "attention_px must be 0 or one of 8, 4, got 16"),
        ({"batch_size": 6}, "multiples of 4"),
        ({"beta2": 1.0}, "beta2"),
        ({"sampling_steps": 0}, "sampling_steps must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
    ],
)
def test_settings_that_cannot_be_trained_are_refused(change, message):
    """By name, with what is allowed."""
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(DIFFUSION, **change)


def test_the_network_of_256_px_is_that_of_ddpm():
    """114 M parameters, as Ho et al. 2020 state for 256 px."""
    with torch.device("meta"):
        network = DiffusionNetwork(DiffusionSettings())
    millions = sum(p.numel() for p in network.parameters()) / 1e6

    assert millions == pytest.approx(114, abs=1)


def test_without_diffusers_the_way_to_get_it_is_named(monkeypatch):
    """It is an optional extra."""
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigError, match=r"pip install 'idhray\[diffusion\]'"):
        import_diffusers()

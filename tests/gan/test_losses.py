"""Losses against closed forms."""

import math

import pytest
import torch

from idhray.gan import losses
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Discriminator, StyleGan2Generator


def test_penalty_of_a_linear_critic_is_known():
    """The slope of <w, x> is w everywhere: the penalty is (|w| - 1)^2."""
    w = torch.randn(3, 4, 4)
    reals, fakes = torch.randn(5, 3, 4, 4), torch.randn(5, 3, 4, 4)
    penalty = losses.gradient_penalty(
        lambda x: (x * w).sum((1, 2, 3)), reals, fakes, torch.rand(5, 1, 1, 1)
    )

    torch.testing.assert_close(penalty, (w.norm() - 1) ** 2)


def test_penalty_is_taken_between_real_and_fake():
    """The slope of sum(x^2) / 2 is x itself, so the penalty tells where it was taken."""
    reals, fakes = torch.randn(2, 1, 2, 2), torch.randn(2, 1, 2, 2)
    mix = torch.tensor([0.25, 1.0]).view(2, 1, 1, 1)
    penalty = losses.gradient_penalty(lambda x: x.square().sum((1, 2, 3)) / 2, reals, fakes, mix)

    lengths = torch.stack([(0.75 * reals[0] + 0.25 * fakes[0]).norm(), fakes[1].norm()])
    torch.testing.assert_close(penalty, (lengths - 1).square().mean())


def test_penalty_can_be_minimized():
    """Its derivative by the critic's weights: d/dw of (|w| - 1)^2 is 2 (|w| - 1) w / |w|."""
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    x = torch.zeros(1, 2, 1, 1)
    losses.gradient_penalty(lambda x: x.flatten(1) @ w, x, x, torch.zeros(1, 1, 1, 1)).backward()

    torch.testing.assert_close(w.grad, 2 * (5 - 1) * torch.tensor([0.6, 0.8]))


def test_penalty_of_a_flat_critic_is_finite():
    """A critic without slope has penalty 1, and no NaN in its gradient."""
    w = torch.zeros(2, requires_grad=True)
    x = torch.ones(1, 2, 1, 1)
    penalty = losses.gradient_penalty(lambda x: x.flatten(1) @ w, x, x, torch.zeros(1, 1, 1, 1))
    penalty.backward()

    assert penalty.item() == 1
    assert torch.isfinite(w.grad).all()


def test_scores_give_distance_drift_and_generator_loss():
    """E[D(real)] - E[D(fake)], E[D(real)^2], -E[D(fake)]."""
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])

    assert losses.score_gap(real, fake).item() == pytest.approx(2.5)
    assert losses.drift(real).item() == pytest.approx(5)
    assert losses.wasserstein_generator(fake).item() == pytest.approx(0.5)


def small_stylegan2():
    """A generator and a discriminator of 8 px, in double precision."""
    torch.manual_seed(0)
    settings = StyleGan2Settings(
        resolution_px=8, channels=2, latent_size=3, mapping_layers=2, fmap_base=8, fmap_max=4
    )
    return StyleGan2Generator(settings).double(), StyleGan2Discriminator(settings).double()


def plain_r1(discriminator, reals, step=1e-5):
    """R1 from differences of scores, pixel by pixel; no derivative is taken."""
    squares = torch.zeros(len(reals), dtype=torch.double)
    for place in range(reals.numel()):
        move = torch.zeros(reals.numel(), dtype=torch.double)
        move[place] = step
        move = move.view_as(reals)
        slope = (discriminator(reals + move) - discriminator(reals - move)).sum() / (2 * step)
        squares[place * len(reals) // reals.numel()] += slope**2
    return squares.mean()


def test_r1_is_the_mean_squared_slope_of_the_scores():
    """Against differences, image by image; an image's neighbors in its group have their say."""
    _, discriminator = small_stylegan2()
    reals = torch.randn(4, 2, 8, 8, dtype=torch.double)
    with torch.no_grad():
        plain = plain_r1(discriminator, reals)

    torch.testing.assert_close(losses.r1_penalty(discriminator, reals), plain, rtol=1e-5, atol=0)


def test_r1_can_be_minimized():
    """Its derivative by a weight is the difference of two penalties."""
    _, discriminator = small_stylegan2()
    reals = torch.randn(4, 2, 8, 8, dtype=torch.double)
    weight = discriminator.blocks[0].down.weight
    (slope,) = torch.autograd.grad(losses.r1_penalty(discriminator, reals), weight)

    for place in ((0, 0, 1, 1), (3, 1, 0, 2)):
        penalties = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[place] += step
            penalties.append(losses.r1_penalty(discriminator, reals).item())
            with torch.no_grad():
                weight[place] -= step
        assert slope[place].item() == pytest.approx((penalties[0] - penalties[1]) / 2e-5, rel=1e-4)


def test_path_lengths_are_those_of_the_jacobian():
    """|J^T y| with J written out, image by image; over the side and the root of the layers."""
    generator, _ = small_stylegan2()
    styles = torch.randn(3, generator.layers, 3, dtype=torch.double, requires_grad=True)
    noise = torch.randn(3, generator.fixed_noise.shape[1], dtype=torch.double)
    directions = torch.randn(generator.synthesis(styles, noise).shape, dtype=torch.double)
    lengths = losses.path_lengths(lambda s: generator.synthesis(s, noise), styles, directions)
    plain = []
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(
            lambda s, i=i: generator.synthesis(s[None], noise[i : i + 1]).flatten(), styles[i]
        )
        pulled = torch.einsum("plz,p->lz", jacobian, directions[i].flatten())
        plain.append(pulled.norm() / 8 / generator.layers**0.5)

    torch.testing.assert_close(lengths, torch.stack(plain))


def test_path_length_weight_is_the_papers():
    """2 on these lengths is ln 2 / (S^2 (ln S - ln 2)) on those of all layers together."""
    for side in (8, 256, 1024):
        layers = 2 * math.log2(side) - 2
        paper = math.log(2) / (side**2 * (math.log(side) - math.log(2)))

        assert 2 / (side**2 * layers) == pytest.approx(paper)


def test_path_lengths_of_a_flat_generator_are_finite():
    """Length 0, and no NaN in its gradient."""
    styles = torch.randn(2, 4, 3, requires_grad=True)
    scale = torch.zeros(1, requires_grad=True)

    def flat(styles):
        return (styles.sum((1, 2)) * scale).view(2, 1, 1, 1).expand(2, 1, 4, 4)

    losses.path_lengths(flat, styles, torch.ones(2, 1, 4, 4)).sum().backward()

    assert torch.isfinite(scale.grad).all()


def test_logistic_losses_are_those_of_probabilities():
    """-log D(real) - log(1 - D(fake)), and -log D(fake), with D the sigmoid of the score."""
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)

    expected = -(d_real.log().mean() + (1 - d_fake).log().mean())
    torch.testing.assert_close(losses.logistic_discriminator(real, fake), expected)
    torch.testing.assert_close(losses.logistic_generator(fake), -d_fake.log().mean())
    assert torch.isfinite(losses.logistic_discriminator(-1e4 * real.abs(), 1e4 * fake))

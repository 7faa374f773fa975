"""Losses against closed forms."""

import pytest
import torch

from idhray.gan import losses


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


def test_penalty_can_be_minimised():
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

    assert losses.wasserstein(real, fake).item() == pytest.approx(2.5)
    assert losses.drift(real).item() == pytest.approx(5)
    assert losses.generator_loss(fake).item() == pytest.approx(0.5)

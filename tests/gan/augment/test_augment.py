"""Augmentation as a run uses it: at any p, on any share, compiled, differentiated twice."""

import pytest
import torch
from scipy import stats
from torch._dynamo.testing import CompileCounterWithBackend

from idhray.errors import ConfigError
from idhray.gan.augment.augment import apply, draw
from idhray.gan.augment.config import PRESETS, AugmentSettings
from idhray.gan.augment.draws import TRANSFORMS
from tests.gan.augmented import chance, noise

EVERYTHING = PRESETS["karras2020"]
MRI = PRESETS["mri"]
ONE = torch.tensor(1.0)
ADAPTIVE = [
    pytest.param(EVERYTHING, id="rgb"),
    pytest.param(MRI, id="channels"),
    pytest.param(AugmentSettings(mode="ada", pipeline="geometry"), id="geometry"),
]
ALL = [*ADAPTIVE, pytest.param(PRESETS["zhao2020"], id="diffaugment")]


@pytest.mark.parametrize("settings", [*ADAPTIVE, pytest.param(AugmentSettings(), id="none")])
def test_p_0_changes_nothing(settings):
    """Not a bit: images that are not augmented must look as they are."""
    images = noise(16, 3, 16, 16)
    draws = draw(16, 3, settings, chance())

    assert torch.equal(apply(images, draws, torch.tensor(0.0), settings), images)


@pytest.mark.parametrize("settings", ALL)
def test_p_1_changes_every_image(settings):
    """And DiffAugment does at any p."""
    images = noise(16, 3, 16, 16)
    change = (apply(images, draw(16, 3, settings, chance()), ONE, settings) - images).abs()

    assert (change.amax(dim=(1, 2, 3)) > 0.1).all()
    assert change.isfinite().all()


@pytest.mark.parametrize("p", [0.05, 0.3, 0.8])
def test_each_transform_is_made_with_probability_p(p):
    """And one says nothing on another."""
    draws = draw(20_000, 3, EVERYTHING, chance())
    made = torch.stack([draws.applied(name, torch.tensor(p)) for name in TRANSFORMS]).float()
    off_diagonal = torch.corrcoef(made) - torch.eye(len(TRANSFORMS))

    assert (made.mean(dim=1) - p).abs().max() < 0.012
    assert off_diagonal.abs().max() < 0.03


def test_numbers_are_uniform_and_normal():
    """By Kolmogorov and Smirnov, at one in a thousand over 40 columns."""
    draws = draw(5_000, 3, EVERYTHING, chance())
    uniform = torch.cat([draws.gates, draws.uniform, draws.brightness[0], draws.contrast[0]], 1)
    normal = torch.cat([draws.normal, draws.brightness[1], draws.contrast[1]], 1)
    p_values = [stats.kstest(column, "uniform").pvalue for column in uniform.T.numpy()]
    p_values += [stats.kstest(column, "norm").pvalue for column in normal.T.numpy()]

    assert min(p_values) > 0.001 / len(p_values)


@pytest.mark.parametrize("settings", ALL)
def test_workers_shares_are_parts_of_the_whole(settings):
    """Each of four workers draws for all and changes its own."""
    images, p = noise(8, 3, 16, 16), torch.tensor(0.6)
    whole = apply(images, draw(8, 3, settings, chance(4)), p, settings)
    parts = [slice(start, start + 2) for start in range(0, 8, 2)]
    shares = [
        apply(images[part], draw(8, 3, settings, chance(4)).share(part), p, settings)
        for part in parts
    ]

    assert torch.equal(torch.cat(shares), whole)


def test_what_is_drawn_does_not_depend_on_what_is_switched_on():
    """Two runs that differ in one switch see the same of all else."""
    first, second = draw(4, 3, EVERYTHING, chance()), draw(4, 3, MRI, chance())

    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("mode", ["ada", "diffaugment"])
def test_null_channels_stay_null_and_out_of_the_others(mode):
    """No cutout, no brightness, no mirror image of nothing; wherever they stand."""
    settings = AugmentSettings(mode=mode, null_channels=(1,))
    images = noise(8, 3, 16, 16)
    images[:, 1] = -1
    draws = draw(8, 3, settings, chance())
    result = apply(images, draws, ONE, settings)
    images[:, 1] = 100
    again = apply(images, draws, ONE, settings)

    assert (result[:, 1] == -1).all()
    assert torch.equal(result[:, [0, 2]], again[:, [0, 2]])
    assert not torch.equal(result[:, [0, 2]], images[:, [0, 2]])


@pytest.mark.parametrize("mode", ["ada", "diffaugment"])
def test_channels_never_mix(mode):
    """FLAIR alone is changed as FLAIR beside CE-T1w."""
    settings = AugmentSettings(mode=mode)
    images = noise(8, 2, 16, 16)
    draws = draw(8, 2, settings, chance())
    other = torch.stack([noise(8, 16, 16, seed=9), images[:, 1]], dim=1)

    assert torch.equal(
        apply(images, draws, ONE, settings)[:, 1], apply(other, draws, ONE, settings)[:, 1]
    )


def test_gray_images_stay_gray_but_for_brightness_and_contrast():
    """What turns hues has none to turn."""
    gray = noise(8, 1, 16, 16).expand(-1, 3, -1, -1)
    result = apply(gray, draw(8, 3, EVERYTHING, chance()), ONE, EVERYTHING)

    assert (result - result.mean(dim=1, keepdim=True)).abs().max() < 1e-5


def test_constant_images_show_no_border():
    """Where an image was moved from must not show."""
    settings = AugmentSettings(mode="ada", pipeline="geometry")
    flat = torch.full((16, 3, 16, 16), 0.7)

    torch.testing.assert_close(apply(flat, draw(16, 3, settings, chance()), ONE, settings), flat)


def test_other_channels_than_the_pipeline_s_are_refused_when_drawn():
    """Before a network is trained on nonsense."""
    with pytest.raises(ConfigError, match="rgb"):
        draw(4, 2, EVERYTHING, chance())


@pytest.mark.parametrize("settings", ALL)
def test_both_derivatives_are_those_of_finite_differences(settings):
    """R1 differentiates a slope at augmented images by the discriminator's weights."""
    images = noise(1, 3, 4, 4, dtype=torch.double).requires_grad_()
    draws = draw(1, 3, settings, chance(1))

    def bent(x):
        return apply(x, draws, ONE, settings).sin()

    assert torch.autograd.gradcheck(bent, images)
    assert torch.autograd.gradgradcheck(bent, images)


def weight_slope_of_r1(images, draws, p, weight, settings):
    """d |d score / d images|^2 / d weight, of a score of augmented images; by torch.func."""

    def score(x, w):
        return torch.tanh(apply(x, draws, p, settings) * w).sum()

    def penalty(w):
        return torch.func.grad(score)(images, w).square().sum()

    return torch.func.grad(penalty)(weight)


@pytest.mark.parametrize("settings", ALL)
def test_functional_derivatives_are_those_of_autograd(settings):
    """The route by which penalties are compiled."""
    images, weight = noise(2, 3, 8, 8), noise(3, 8, 8, seed=3).requires_grad_()
    draws = draw(2, 3, settings, chance())
    x = images.clone().requires_grad_()
    score = torch.tanh(apply(x, draws, ONE, settings) * weight).sum()
    (slope,) = torch.autograd.grad(score, x, create_graph=True)
    (expected,) = torch.autograd.grad(slope.square().sum(), weight)

    found = weight_slope_of_r1(images, draws, ONE, weight.detach(), settings)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("settings", ALL)
def test_compiled_images_are_the_eager_ones_at_every_p(settings):
    """One graph without breaks, compiled once, up to rounding of places in float32."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("inductor")
    quick = torch.compile(apply, fullgraph=True, dynamic=False, backend=counter)
    images = noise(4, 3, 16, 16)
    for seed, p in enumerate(torch.tensor([0.0, 0.3, 1.0])):
        draws = draw(4, 3, settings, chance(seed))
        plain = apply(images, draws, p, settings)
        atol = 1e-5 * plain.abs().max().item()

        torch.testing.assert_close(quick(images, draws, p, settings), plain, rtol=0, atol=atol)
    assert counter.frame_count == 1


@pytest.mark.slow
@pytest.mark.parametrize("settings", [PRESETS["mri"], PRESETS["zhao2020"]])
def test_a_compiled_penalty_has_the_eager_one_s_slope(settings):
    """R1 through augmentation, compiled whole."""
    torch._dynamo.reset()
    quick = torch.compile(weight_slope_of_r1, fullgraph=True, dynamic=False)
    images, weight = noise(4, 3, 16, 16), noise(3, 16, 16, seed=3)
    draws, p = draw(4, 3, settings, chance(1)), torch.tensor(0.6)
    plain = weight_slope_of_r1(images, draws, p, weight, settings)

    found = quick(images, draws, p, weight, settings)
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-4)


def test_draws_travel_in_one_row():
    """One copy to a GPU in place of five."""
    draws = draw(4, 3, AugmentSettings(mode="ada"), torch.Generator().manual_seed(0))
    again = draws.unpacked(torch.cat([numbers.flatten() for numbers in draws]))

    for numbers, same in zip(draws, again, strict=True):
        assert torch.equal(numbers, same)

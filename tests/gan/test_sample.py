"""Generated images: image i is the same however it is asked for."""

import dataclasses

import numpy as np
import pytest
import torch

from idhray.errors import ConfigError
from idhray.gan import sample
from idhray.gan.checkpoint import save
from idhray.gan.growth import Growth
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.sample import (
    block_size,
    generate,
    generator_of,
    image_grid,
    inputs_of,
    latent,
    load_generator,
)
from idhray.gan.stylegan2 import phases
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.trainer import new_run
from tests.gan.made_up import BY_NAME, start

PGGAN = PgganSettings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_sizes=(4, 4, 4)
)
STYLEGAN2 = StyleGan2Settings(
    resolution_px=16, channels=2, latent_size=16, fmap_base=64, fmap_max=32, batch_size=4
)


def grown_up(settings):
    images = np.zeros((4, 16, 16, 2), np.uint8)
    run = new_run(images, settings, seed=1, idh="wildtype", patients=("a",))
    run.images_shown = 10_000_000
    return run


@pytest.fixture
def run():
    return grown_up(PGGAN)


@pytest.fixture
def styled():
    """A StyleGAN2 whose noise and mean w can be seen."""
    run = grown_up(STYLEGAN2)
    run.average.w_average.normal_(generator=torch.Generator().manual_seed(0))
    for name, parameter in run.average.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return run


@pytest.fixture(params=["run", "styled"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_images_do_not_depend_on_their_grouping(either, dtype):
    """Bit for bit, so any number of workers makes the same table."""
    generator = dataclasses.replace(generator_of(either), dtype=dtype)
    together = generate(generator, 3, range(19))
    middle = generate(generator, 3, range(5, 10))
    apart = np.concatenate([generate(generator, 3, [18, 2, 18]), generate(generator, 3, [0])])

    assert together.shape == (19, 16, 16, 2)
    np.testing.assert_array_equal(together[5:10], middle)
    np.testing.assert_array_equal(together[[18, 2, 18, 0]], apart)
    assert (generate(generator, 4, [0]) != together[0]).any()
    assert (together[1] != together[0]).any()


def test_an_image_is_that_of_its_own_latent_and_noise(styled):
    """The network's, fed with one image at a time, but for the rounding of a gray value."""
    generator = generator_of(styled)
    made = generate(generator, 3, [9, 4])
    for index, image in zip((9, 4), made, strict=True):
        noise = sample._normal(3, "noise", index, styled.average.fixed_noise.shape[1])
        alone = styled.average(latent(3, index, 16), noise, psi=1.0)[0]
        alone = ((alone + 1) * 127.5).clamp(0, 255).permute(1, 2, 0).numpy()

        assert np.abs(image - alone).max() < 0.51


def test_a_block_is_computed_once_and_whole(run, monkeypatch):
    """Scattered indices of two blocks cost two passes, each of as many images as ever."""
    passes = []
    render = sample.render

    def counted(generator, inputs, noise=None):
        passes.append(len(inputs))
        return render(generator, inputs, noise)

    monkeypatch.setattr(sample, "render", counted)
    size = block_size(torch.device("cpu"))
    generate(generator_of(run), 3, [0, size + 1, 1, size, 0])

    assert passes == [size, size]


def test_bfloat16_changes_images_a_little(either):
    """It is used when asked for, and the picture stays what it was."""
    exact = generator_of(either)
    fast = dataclasses.replace(exact, dtype=torch.bfloat16)
    difference = np.abs(generate(exact, 3, range(8)) - generate(fast, 3, range(8)).astype(float))

    assert exact.dtype == torch.float32
    assert 0 < difference.mean() < 2


def test_other_types_are_refused(run, tmp_path):
    """Doubles are what its weights are not."""
    save(run, str(tmp_path))

    assert load_generator(str(tmp_path), dtype=torch.bfloat16).dtype == torch.bfloat16
    with pytest.raises(ConfigError, match=r"must be .* got torch\.float64"):
        load_generator(str(tmp_path), dtype=torch.float64)


def test_kernels_are_exact_while_generating_alone(run, monkeypatch):
    """Else bits could differ from call to call on a GPU; a training in the same process goes on."""
    seen = []
    monkeypatch.setattr(
        run.average, "forward", lambda z, *_: seen.append(cudnn()) or torch.zeros(len(z), 2, 16, 16)
    )
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=True
    ):
        generate(generator_of(run), 3, [0])

        assert seen == [(False, True, False)]
        assert cudnn() == (True, False, True)


def cudnn():
    """Benchmark, deterministic, TF32."""
    state = torch.backends.cudnn
    return state.benchmark, state.deterministic, state.allow_tf32


def test_a_saved_generator_makes_the_same_images(either, tmp_path):
    """A checkpoint holds the averaged generator, and how far it had grown."""
    save(either, str(tmp_path))
    loaded = load_generator(str(tmp_path))

    np.testing.assert_array_equal(
        generate(loaded, 3, range(2)), generate(generator_of(either), 3, range(2))
    )


def test_pixels_are_rounded_from_minus_one_to_one(run):
    """-1 is 0, 0 is 128 (127.5 to the even), 1 is 255, and overshoot is cut."""
    last = run.average.rgb[2]
    values = []
    for bias in (-3.0, -1.0, 0.0, 1.0, 3.0):
        with torch.no_grad():
            last.weight.zero_()
            last.bias.fill_(bias)
        values.append(int(generate(generator_of(run), 0, [0])[0, 0, 0, 0]))

    assert values == [0, 0, 128, 255, 255]


def test_a_young_generator_gives_enlarged_pixels(run):
    """Its images fit the table all the same."""
    run.images_shown = 0
    image = generate(generator_of(run), 0, [0])[0]

    np.testing.assert_array_equal(image, image[::4, ::4].repeat(4, 0).repeat(4, 1))


def test_a_fading_generator_blends_with_enlarged_pixels(run):
    """Half way between two levels an image is their mean, in blocks of whatever size."""
    generator = generator_of(run)
    halfway = dataclasses.replace(generator, growth=Growth(generator.growth.level, 0.5))
    z = latent(3, 1, 16)
    with torch.no_grad():
        expected = run.average(z, 2, torch.tensor(0.5))[0].permute(1, 2, 0).numpy()

    made = generate(halfway, 3, [1])[0]
    assert np.abs(made - ((expected + 1) * 127.5).clip(0, 255)).max() < 0.51
    assert (made != generate(generator, 3, [1])[0]).any()


def test_no_indices_give_no_images(either):
    """An empty share of the work is no error."""
    assert generate(generator_of(either), 0, []).shape == (0, 16, 16, 2)


def test_noise_belongs_to_the_index(styled):
    """Each image has its own; fixed noise would mark all synthetic images alike."""
    generator = generator_of(styled)
    images = generate(generator, 3, range(2), psi=0.0)

    assert (images[0] != images[1]).any()
    np.testing.assert_array_equal(generate(generator, 3, [1], psi=0.0)[0], images[1])


def test_truncation_brings_images_nearer_to_the_mean(styled):
    """Psi 0 leaves only noise of all differences, psi 1 changes nothing."""
    for name, parameter in styled.average.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    generator = generator_of(styled)
    whole, half, mean = (generate(generator, 3, range(5), psi=psi) for psi in (1.0, 0.5, 0.0))

    np.testing.assert_array_equal(whole, generate(generator, 3, range(5)))
    np.testing.assert_array_equal(mean, np.broadcast_to(mean[:1], mean.shape))
    center = mean[0].astype(float)
    assert 0 < np.abs(half - center).mean() < np.abs(whole - center).mean()


def test_pggan_has_no_truncation(run):
    """Rather than images that are not what was asked for."""
    with pytest.raises(ConfigError, match="psi must be 1"):
        generate(generator_of(run), 3, [0], psi=0.7)


@pytest.mark.parametrize("psi", [-0.1, 1.5, float("nan")])
def test_psi_out_of_range_is_refused(styled, psi):
    """Beyond w, images have no meaning."""
    with pytest.raises(ConfigError, match=r"psi must be in \[0, 1\]"):
        generate(generator_of(styled), 3, [0], psi=psi)


def test_grid_goes_row_by_row():
    """Five images in three columns leave one black cell."""
    images = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    picture = image_grid(images, 3)

    assert picture.shape == (4, 6, 3)
    assert picture[::2, ::2, 0].tolist() == [[1, 2, 3], [4, 5, 0]]


@pytest.mark.parametrize(("channels", "shape"), [(1, (2, 2)), (2, (2, 2, 3)), (5, (2, 2, 3))])
def test_grid_of_any_channels_is_a_picture(channels, shape):
    """One channel is gray; two lack blue; of five the first three are seen."""
    assert image_grid(np.ones((1, 2, 2, channels), np.uint8), 1).shape == shape


def test_grid_of_nothing_is_refused():
    """With a message, not a division by zero."""
    with pytest.raises(ConfigError, match="needs images"):
        image_grid(np.zeros((0, 2, 2, 3), np.uint8), 2)


@pytest.fixture(scope="module")
def conditional():
    """A StyleGAN2 of both classes after some steps."""
    run = start(BY_NAME["stylegan2-both"])
    for _ in range(3):
        run.step()
    return run


def test_the_class_decides_the_image(conditional):
    """Classes differ in latents, in styles of one latent, and in the center of truncation."""
    wildtype, mutant = (generator_of(conditional, label) for label in (0, 1))
    latents = torch.randn(3, BY_NAME["stylegan2-both"].latent_size)
    styles = [inputs_of(each, latents, 1.0) for each in (wildtype, mutant)]
    centers = [inputs_of(each, latents, 0.0)[0, 0] for each in (wildtype, mutant)]

    assert (generate(wildtype, 3, [0]) != generate(mutant, 3, [0])).any()
    assert not torch.equal(*styles)
    torch.testing.assert_close(torch.stack(centers), conditional.average.w_average)
    assert not torch.equal(*centers)


def test_the_mean_style_is_that_of_each_class():
    """A step moves the center of a class by the mean w of its own images."""
    w, labels = torch.randn(8, 5), torch.tensor([0, 1] * 4)
    means = phases._mean_by_class(w, labels)

    torch.testing.assert_close(means, torch.stack([w[::2].mean(0), w[1::2].mean(0)]))
    torch.testing.assert_close(phases._mean_by_class(w, None), w.mean(0))


def test_images_of_two_classes_are_asked_for_by_class(conditional, tmp_path):
    """A checkpoint of both classes makes images of one; a checkpoint of one class has no choice."""
    save(conditional, str(tmp_path / "both"))
    with pytest.raises(ConfigError, match="give --idh mutant or --idh wildtype"):
        load_generator(str(tmp_path / "both"))
    loaded = load_generator(str(tmp_path / "both"), idh="mutant")
    save(start(BY_NAME["stylegan2"]), str(tmp_path / "one"))

    np.testing.assert_array_equal(
        generate(loaded, 3, range(2)), generate(generator_of(conditional, 1), 3, range(2))
    )
    with pytest.raises(ConfigError, match="a generator of class mutant, not wildtype"):
        load_generator(str(tmp_path / "one"), idh="wildtype")
    with pytest.raises(ConfigError, match="and no other, needs the class of its images"):
        generator_of(conditional)

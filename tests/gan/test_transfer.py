"""Starting from the weights of another run: what comes along, what does not, what is refused."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.gan.augment.config import PRESETS as AUGMENT
from idhray.gan.checkpoint import read_model, restore, save
from idhray.gan.data import null_channels
from idhray.gan.stylegan2.transfer import adapted
from idhray.gan.trainer import train
from idhray.gan.transfer import init_from
from idhray.gan.weights import CheckpointWeights
from idhray.generator_records import patients_hash
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, ignore, noise_images, start


@pytest.fixture
def source(tmp_path):
    """A checkpoint of normal brains."""
    run = start(STYLEGAN2, patients=("n1", "n2"))
    train(run, ignore, until_kimg=0.04)
    folder = str(tmp_path / "normal")
    save(run, folder)
    return run, folder


def tumours(settings=STYLEGAN2):
    """A run on other images, of other patients."""
    return start(settings, images=noise_images(11), seed=9, patients=("t1", "n2"))


def test_networks_come_along_and_all_else_starts_anew(source):
    """Generator, discriminator, EMA, mean w; not Adam, the clock, or the mean path length."""
    normal, folder = source
    run = tumours()
    init_from(run, folder)

    assert torch.equal(all_values(run)[:-1], all_values(normal)[:-1])
    assert normal.path_length_mean > 0
    assert run.path_length_mean == 0
    assert run.images_shown == 0
    assert not run.g_optimizer.state
    assert not run.d_optimizer.state


def test_record_holds_the_patients_of_both_runs(source, tmp_path):
    """A classifier tested on a patient of the source would meet what the GAN has seen."""
    _, folder = source
    run = tumours()
    init_from(run, folder)
    save(run, str(tmp_path / "tumours"))
    model = read_model(str(tmp_path / "tumours"))

    assert model["patients"] == ["n1", "n2", "t1"]
    assert model["trained_on"] == patients_hash(("n1", "n2", "t1"))
    assert len(model["initialised_from"]) == 16
    assert model["freeze_layers"] == 0


def test_patients_are_handed_on_through_several_transfers(source, tmp_path):
    """The second target has seen, by its weights, the first source."""
    _, folder = source
    first = tumours()
    init_from(first, folder)
    save(first, str(tmp_path / "first"))
    second = start(STYLEGAN2, patients=("z",))
    init_from(second, str(tmp_path / "first"))

    assert second.patients == ("n1", "n2", "t1", "z")


def test_transferred_run_resumes_exactly(source, tmp_path):
    """Begun in the same way, then restored; frozen blocks stay frozen."""
    _, folder = source
    unbroken, first, second = tumours(), tumours(), tumours()
    for run in (unbroken, first, second):
        init_from(run, folder, freeze_layers=1)
    train(unbroken, ignore, until_kimg=0.08)
    train(first, ignore, until_kimg=0.04)
    save(first, str(tmp_path / "saved"))
    restore(second, str(tmp_path / "saved"))
    train(second, ignore, until_kimg=0.08)

    assert torch.equal(all_values(second), all_values(unbroken))


def test_a_run_begun_otherwise_is_not_continued(source, tmp_path):
    """From chance, from other weights, or with other frozen layers."""
    _, folder = source
    first = tumours()
    init_from(first, folder)
    save(first, str(tmp_path / "saved"))
    frozen = tumours()
    init_from(frozen, folder, freeze_layers=1)

    with pytest.raises(SettingsChangedError, match="initialised_from: was"):
        restore(tumours(), str(tmp_path / "saved"))
    with pytest.raises(SettingsChangedError, match="freeze_layers: was 0, now 1"):
        restore(frozen, str(tmp_path / "saved"))


def test_frozen_layers_keep_the_sources_weights(source):
    """FreezeD: the blocks nearest the image; the others are trained."""
    normal, folder = source
    run = tumours()
    init_from(run, folder, freeze_layers=1)
    train(run, ignore, until_kimg=0.04)
    old, new = normal.discriminator.state_dict(), run.discriminator.state_dict()
    kept = {name for name in old if torch.equal(old[name], new[name])}

    assert kept == {name for name in old if name.startswith(("from_image", "blocks.0."))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 1}, "channels: was 3, now 1"),
        ({"resolution_px": 16}, "resolution_px: was 8, now 16"),
        ({"latent_size": 4, "fmap_max": 4}, "fmap_max: was 8, now 4; latent_size: was 8, now 4"),
        ({"mapping_lr": 0.1}, r"mapping_lr: was 0\.01, now 0\.1"),
    ],
)
def test_other_networks_are_refused_by_their_settings(source, change, message):
    """Their weights would not fit, or mean something else."""
    settings = dataclasses.replace(STYLEGAN2, **change)

    with pytest.raises(ConfigError, match=message) as caught:
        init_from(start(settings), source[1])

    assert "\n" not in str(caught.value)


def test_training_settings_may_differ(source):
    """Another rate, batch or length is what transfer is often for."""
    run = tumours(dataclasses.replace(STYLEGAN2, learning_rate=1e-3, batch_size=4, r1_gamma=1.0))
    init_from(run, source[1])
    run.step()

    assert run.images_shown == 4


def other_channels(source, channels):
    """A run of so many channels, begun from the source's adapted weights."""
    run = start(dataclasses.replace(STYLEGAN2, channels=channels), patients=("t1",))
    init_from(run, source[1], adapt_channels=True)
    return run


def gray_images(channels):
    """(8, channels, 8, 8), the same in every channel."""
    gray = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return gray.expand(-1, channels, -1, -1)


def images_of(generator):
    """(4, C, 8, 8) of latents that are always the same."""
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return generator(z)


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_gray_images_keep_their_scores(source, channels):
    """To one channel, or to more: the discriminator sees gray as it did in three channels."""
    run = other_channels(source, channels)
    before = source[0].discriminator(gray_images(3))
    after = run.discriminator(gray_images(channels))

    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    assert before.std() > 0


def test_fewer_channels_score_as_with_middle_gray_in_the_others(source):
    """CE-T1w and FLAIR of a source that had a third."""
    run = other_channels(source, 2)
    images = torch.rand(8, 3, 8, 8) * 2 - 1
    images[:, 2] = 0

    torch.testing.assert_close(
        run.discriminator(images[:, :2]), source[0].discriminator(images), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_generated_channels_are_the_old_ones_or_their_mean(source, channels):
    """One: the mean; fewer: the first; more: the old ones, then the mean for each further one."""
    run = other_channels(source, channels)
    for name in ("generator", "average"):
        old = images_of(getattr(source[0], name))
        mean = old.mean(1, keepdim=True)
        expected = {1: mean, 2: old[:, :2], 5: torch.cat([old, mean, mean], 1)}[channels]

        torch.testing.assert_close(images_of(getattr(run, name)), expected, rtol=1e-4, atol=1e-5)


def test_other_layers_are_not_changed_by_other_channels(source):
    """All but the first of the discriminator and the steps to an image, bit for bit."""
    run = other_channels(source, 1)
    changed = {
        name
        for network in ("generator", "discriminator")
        for name, value in getattr(run, network).state_dict().items()
        if not torch.equal(value, getattr(source[0], network).state_dict()[name])
    }

    assert changed == {
        "from_image.weight",
        *(f"synthesis.images.{k}.{part}" for k in (0, 1) for part in ("weight", "bias")),
    }


def test_adapted_weights_worked_by_hand():
    """Three channels to one: 9 = (1 + 2 + 6) meets gray, stored over the new scale 1 / sqrt(1)."""
    first = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1)  # met by images times 1 / sqrt(3)
    name = "discriminator.from_image.weight"
    weights = CheckpointWeights("", {name: first, "discriminator.other": first}, "")
    new = adapted(weights, 3, 1).tensors

    assert new[name].flatten().tolist() == pytest.approx([9 / 3**0.5])
    assert new["discriminator.other"] is first
    assert adapted(weights, 3, 2).tensors[name].flatten().tolist() == pytest.approx(
        [1 * (2 / 3) ** 0.5, 2 * (2 / 3) ** 0.5]
    )
    assert adapted(weights, 3, 4).tensors[name].flatten().tolist() == pytest.approx(
        [3 / 4 * (4 / 3) ** 0.5 * value for value in (1, 2, 6, 3)]
    )
    assert adapted(weights, 3, 3) is weights


def with_null(images):
    """(N, C, S, S) -> (N, C + 1, S, S): a further channel, black."""
    return torch.cat([images, torch.full_like(images[:, :1], -1.0)], 1)


def to_channels(source, folder, images, **about):
    """A run on such images, begun from a checkpoint of `source` that says `about` of itself."""
    save(source, folder, about)
    settings = dataclasses.replace(STYLEGAN2, channels=images.shape[-1])
    run = start(settings, images=images, patients=("t1",))
    init_from(run, folder, adapt_channels=True)
    return run


@pytest.mark.parametrize(
    ("channels", "black", "found"),
    [(3, (2,), (2,)), (3, (), ()), (3, (0, 1), (0, 1)), (3, (0, 1, 2), ()), (1, (0,), ())],
)
def test_null_channels_are_those_that_are_black_in_all_images(channels, black, found):
    """Where every channel is black, the pictures are: none of them is left out."""
    images = noise_images(3, channels=channels)
    images[..., list(black)] = 0

    assert null_channels(images) == found


def test_a_null_channel_does_not_darken_the_gray_image(source, tmp_path):
    """CE-T1w, FLAIR, null to one channel: the mean of two pictures, scores as of those beside
    black."""
    old = source[0]
    run = to_channels(old, str(tmp_path / "mri"), noise_images(channels=1), null_channels=[2])
    made, gray = images_of(run.generator), gray_images(2)

    torch.testing.assert_close(
        made, images_of(old.generator)[:, :2].mean(1, keepdim=True), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        run.discriminator(gray[:, :1]), old.discriminator(with_null(gray)), rtol=1e-4, atol=1e-5
    )


def test_a_new_null_channel_is_black_and_has_no_say(tmp_path):
    """Gray to CE-T1w, FLAIR, null: two pictures like the old one; the third is exactly black."""
    old = start(dataclasses.replace(STYLEGAN2, channels=1))
    train(old, ignore, until_kimg=0.04)
    images = noise_images(11)
    images[..., 2] = 0
    run = to_channels(old, str(tmp_path / "gray"), images)
    made, gray = images_of(run.generator), gray_images(1)

    assert (made[:, 2] == -1).all()
    torch.testing.assert_close(
        made[:, :2], images_of(old.generator).expand(-1, 2, -1, -1), rtol=1e-4, atol=1e-5
    )
    for third in (-1.0, 0.5):
        seen = torch.cat([gray, gray, torch.full_like(gray, third)], 1)
        torch.testing.assert_close(
            run.discriminator(seen), old.discriminator(gray), rtol=1e-4, atol=1e-5
        )


def test_a_checkpoint_that_names_no_null_channel_goes_by_its_augmentation(tmp_path):
    """One of before they were recorded."""
    settings = dataclasses.replace(STYLEGAN2, augment=AUGMENT["mri"])
    old = start(settings)
    run = to_channels(old, str(tmp_path / "mri"), noise_images(channels=1))
    mean = images_of(old.generator)[:, :2].mean(1, keepdim=True)

    torch.testing.assert_close(images_of(run.generator), mean, rtol=1e-4, atol=1e-5)


def test_adapted_run_trains_saves_and_resumes(source, tmp_path):
    """As any other; begun in the same way, then restored."""
    first = other_channels(source, 1)
    train(first, ignore, until_kimg=0.04)
    save(first, str(tmp_path / "gray"))
    second = other_channels(source, 1)
    restore(second, str(tmp_path / "gray"))

    assert torch.equal(all_values(second), all_values(first))
    assert first.initialized_from == read_model(str(tmp_path / "gray"))["initialised_from"]


def test_other_channels_are_refused_with_the_way_out(source):
    """Not adapted unasked; and the option helps only if nothing else differs."""
    gray = dataclasses.replace(STYLEGAN2, channels=1)
    with pytest.raises(ConfigError, match=r"was 3, now 1\); give --adapt-channels to"):
        init_from(start(gray), source[1])
    other = dataclasses.replace(gray, mapping_lr=0.1)
    with pytest.raises(ConfigError, match="mapping_lr: was") as caught:
        init_from(start(other), source[1])
    assert "adapt-channels" not in str(caught.value)
    with pytest.raises(ConfigError, match="mapping_lr: was"):
        init_from(start(other), source[1], adapt_channels=True)


def test_pggan_is_refused(source, tmp_path):
    """It grows from 4 px; neither as source nor as target."""
    save(start(PGGAN), str(tmp_path / "pggan"))

    with pytest.raises(ConfigError, match="holds no StyleGAN2"):
        init_from(tumours(), str(tmp_path / "pggan"))
    with pytest.raises(ConfigError, match="a PGGAN cannot start"):
        init_from(start(PGGAN), source[1])


@pytest.mark.parametrize("layers", [-1, 2])
def test_impossible_layers_are_refused(source, layers):
    """8 px have one residual block; the verdict is never frozen."""
    with pytest.raises(ConfigError, match=f"freeze_layers must be 0 to 1, got {layers}"):
        init_from(tumours(), source[1], freeze_layers=layers)


def test_a_damaged_source_is_named(source):
    """Not half of its weights."""
    path = Path(source[1], "weights.safetensors")
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(StorageError, match=r"weights\.safetensors"):
        init_from(tumours(), source[1])
    assert json.loads(Path(source[1], "model.json").read_text())["patients"] == ["n1", "n2"]

"""What GAN settings accept, and that they survive JSON."""

import json

import pytest

from idhray.config import settings_dict
from idhray.errors import ConfigError
from idhray.gan.architectures import PRESETS, architecture_name, gan_settings
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.stylegan2.config import NETWORK, StyleGan2Settings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    """They are written beside the output and read back, with their architecture."""
    preset = PRESETS[name]
    values = json.loads(json.dumps(settings_dict(preset)))

    assert gan_settings(architecture_name(preset), values) == preset


def test_architecture_follows_from_the_type_of_the_settings():
    """Liu et al. trained a PGGAN, Park et al. a StyleGAN2."""
    names = {name: architecture_name(preset) for name, preset in PRESETS.items()}

    assert names == {
        "liu2020": "pggan",
        "demo": "pggan",
        "park2021": "stylegan2",
        "modern": "stylegan2",
        "demo-mri": "stylegan2",
        "diffusion": "diffusion",
        "demo-diffusion": "diffusion",
    }


def test_park2021_is_what_the_paper_says():
    """Methods: z, w, layers, size, rate, Adam, batch, images shown."""
    park = PRESETS["park2021"]

    assert (park.latent_size, park.mapping_layers) == (512, 8)
    assert (park.resolution_px, park.channels) == (256, 3)
    assert (park.learning_rate, park.beta2, park.batch_size) == (2e-3, 0.99, 32)
    assert park.total_kimg == 4000


def test_settings_of_another_architecture_are_refused():
    """A checkpoint of a program that knows more, or an edited one."""
    with pytest.raises(ConfigError, match="pggan or stylegan2 or diffusion, got 'biggan'"):
        gan_settings("biggan", {})
    with pytest.raises(ConfigError, match="PgganSettings has no setting r1_gamma"):
        gan_settings("pggan", {"r1_gamma": 1.0})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution_px": 96}, "power of two >= 4"),
        ({"resolution_px": 512}, "batch_sizes needs 8 numbers"),
        ({"batch_sizes": (8, 8, 8, 8, 8, 8, 6)}, "multiples of 4"),
        ({"channels": 0}, "channels must be above 0"),
        ({"penalty_slope": "half"}, "penalty_slope must be level or full, got 'half'"),
        ({"latent_bias": "none"}, "latent_bias must be position or channel"),
        ({"ema_decay": 1.0}, "ema_decay must be in"),
        ({"drift": float("nan")}, "drift must be 0 or more"),
        ({"symmetry": "rotate"}, "symmetry must be"),
    ],
)
def test_nonsense_is_refused_by_name_for_pggan(change, message):
    """The message names the field, in one line."""
    with pytest.raises(ConfigError, match=message) as caught:
        PgganSettings(**change)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution_px": 4}, "power of two >= 8"),
        ({"resolution_px": 100}, "power of two"),
        ({"batch_size": 6}, "batch_size must be multiples of 4"),
        ({"batch_size": 0}, "batch_size must be multiples of 4"),
        ({"mapping_layers": 0}, "mapping_layers must be above 0"),
        ({"r1_interval": 0}, "r1_interval must be above 0"),
        ({"r1_gamma": -1.0}, "r1_gamma must be 0 or more"),
        ({"path_length_weight": float("nan")}, "path_length_weight must be 0 or more"),
        ({"ema_half_life_kimg": 0.0}, "ema_half_life_kimg must be above 0"),
        ({"beta2": 1.0}, "beta2 must be in"),
        ({"style_mixing": 1.1}, r"style_mixing must be in \[0, 1\]"),
        ({"symmetry": "rotate"}, "symmetry must be"),
    ],
)
def test_nonsense_is_refused_by_name_for_stylegan2(change, message):
    """The message names the field, in one line."""
    with pytest.raises(ConfigError, match=message) as caught:
        StyleGan2Settings(**change)

    assert "\n" not in str(caught.value)


def test_smaller_resolution_needs_no_other_batch_sizes():
    """Batch sizes belong to resolutions, so a lower one uses the first of them."""
    assert PgganSettings(resolution_px=64).levels == 5


def test_network_settings_are_settings():
    """A name misspelt there would let weights of another network through."""
    assert set(NETWORK) <= set(StyleGan2Settings.__dataclass_fields__)

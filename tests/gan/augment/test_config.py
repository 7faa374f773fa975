"""What the settings of augmentation refuse."""

import pytest

from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.gan.augment.config import PRESETS, AugmentSettings, check_channels


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "often"),
        ("pipeline", "cmyk"),
        ("target", 1.0),
        ("interval_batches", 0),
        ("rise_kimg", 0.0),
        ("transfer_rise_kimg", float("nan")),
        ("max_p", 1.2),
        ("max_p", 0.0),
        ("fixed_p", 0.9),
        ("fixed_p", -0.1),
        ("hue", True),
        ("saturation", True),
        ("luma_flip", True),
        ("null_channels", (2, 2)),
        ("null_channels", (-1,)),
    ],
)
def test_nonsense_is_refused_by_name(field, value):
    """The default pipeline has no colors to turn; p is a probability below its limit."""
    with pytest.raises(ConfigError, match=field):
        AugmentSettings(**{field: value})


@pytest.mark.parametrize(
    ("settings", "channels"),
    [
        (AugmentSettings(mode="ada", pipeline="rgb"), 1),
        (AugmentSettings(mode="ada", null_channels=(2,)), 2),
        (AugmentSettings(mode="diffaugment", null_channels=(0, 1)), 2),
    ],
)
def test_images_that_the_pipeline_is_not_for_are_refused(settings, channels):
    """Two contrasts are no color image; a channel must be there, and one must be left."""
    with pytest.raises(ConfigError, match="channel"):
        check_channels(settings, channels)


def test_without_augmentation_any_channels_will_do():
    """Settings that nobody uses stop nobody."""
    check_channels(AugmentSettings(pipeline="rgb"), 5)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_their_json(name):
    """Checkpoints keep settings as JSON, in which tuples are lists."""
    assert settings_from(AugmentSettings, settings_dict(PRESETS[name])) == PRESETS[name]

"""What GAN settings accept, and that they survive JSON."""

import json

import pytest

from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.gan.config import PRESETS, GanSettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    """They are written beside the output and read back."""
    values = json.loads(json.dumps(settings_dict(PRESETS[name])))

    assert settings_from(GanSettings, values) == PRESETS[name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution_px": 96}, "power of two"),
        ({"resolution_px": 512}, "batch_sizes needs 8 numbers"),
        ({"batch_sizes": (8, 8, 8, 8, 8, 8, 6)}, "multiples of 4"),
        ({"channels": 0}, "channels must be above 0"),
        ({"ema_decay": 1.0}, "ema_decay must be in"),
        ({"drift": float("nan")}, "drift must be 0 or more"),
        ({"symmetry": "rotate"}, "symmetry must be"),
    ],
)
def test_nonsense_is_refused_by_name(change, message):
    """The message names the field."""
    with pytest.raises(ConfigError, match=message):
        GanSettings(**change)


def test_smaller_resolution_needs_no_other_batch_sizes():
    """Batch sizes belong to resolutions, so a lower one uses the first of them."""
    assert GanSettings(resolution_px=64).levels == 5

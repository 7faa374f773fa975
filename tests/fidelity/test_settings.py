"""What the settings of fidelity accept."""

import pytest

from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.fidelity.settings import PRESETS, FidelitySettings


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    """They are written beside the figures."""
    assert settings_from(FidelitySettings, settings_dict(PRESETS[name])) == PRESETS[name]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("neighbours", 0),
        ("subsets", 1),
        ("subset_size", 1),
        ("draws", 0),
        ("max_images", 1),
        ("seed", -1),
        ("neighbours", 2.5),
        ("draws", True),
    ],
)
def test_nonsense_is_refused_by_name(field, value):
    """The message names field and value."""
    with pytest.raises(ConfigError, match=f"{field} must be .* got {value}"):
        FidelitySettings(**{field: value})

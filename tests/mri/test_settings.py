"""Presets say what papers say; nonsense is refused before a scan is read."""

import pytest

from idhray.config import settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.mri.settings import PRESETS, SliceSettings


def test_park_2021_is_a_preset():
    """256 px of a 256 mm field, steps of SPM12, every slice, no bias field correction."""
    park = PRESETS["park2021"]

    assert (park.size_px, park.fov_mm, park.pixel_mm) == (256, 256, 1)
    assert park.registration_steps_mm == (4, 2)
    assert (park.slice_spacing_mm, park.max_slices, park.n4) == (None, None, False)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    """Workers get settings as JSON."""
    settings = PRESETS[name]

    assert settings_from(SliceSettings, settings_dict(settings)) == settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"registration_steps_mm": ()},
        {"registration_steps_mm": (4.0, 0.0)},
        {"max_rotation_degrees": 0.0},
        {"max_displacement_mm": -1.0},
        {"min_nmi": 0.0},
        {"min_overlap": 1.5},
        {"interpolation": "nearest"},
        {"low_percentile": 99.5},
        {"high_percentile": 101.0},
        {"fov_mm": float("nan")},
        {"size_px": 0},
        {"slice_spacing_mm": 0.0},
        {"min_brain_fraction": -0.1},
        {"min_flair_coverage": 2.0},
        {"max_slices": 0},
    ],
    ids=str,
)
def test_nonsense_settings_are_refused(wrong):
    """By name."""
    with pytest.raises(ConfigError, match=next(iter(wrong)).split("_")[-1]):
        SliceSettings(**wrong)

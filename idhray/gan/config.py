"""Which GAN, with which settings: presets of the papers, and settings to JSON and back.

Which architecture a run has follows from the type of its settings. The clock of a GAN is the
number of real images shown, in thousands (kimg).
"""

from collections.abc import Mapping
from typing import Any

from idhray.config import settings_from
from idhray.errors import ConfigError
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.stylegan2.config import StyleGan2Settings

GanSettings = PgganSettings | StyleGan2Settings

_KINDS: dict[str, type[GanSettings]] = {"pggan": PgganSettings, "stylegan2": StyleGan2Settings}

PGGAN: dict[str, PgganSettings] = {
    "liu2020": PgganSettings(),
    # Ours: 480 images of one class in some two minutes on one CPU core, H&E-like at 64 px.
    "demo": PgganSettings(
        resolution_px=64,
        latent_size=64,
        fmap_base=512,
        fmap_max=32,
        stabilise_kimg=0.6,
        fade_kimg=0.6,
        total_kimg=11.0,
        batch_sizes=(8, 8, 8, 8, 8),
        learning_rate=3e-3,  # 1.5e-3 got less far in so few steps, 6e-3 collapsed on real patches
        ema_decay=0.99,
        symmetry="dihedral",
        checkpoint_kimg=1.0,
        sample_kimg=2.0,
    ),
}
STYLEGAN2: dict[str, StyleGan2Settings] = {
    "park2021": StyleGan2Settings(),
    # Ours: 64 px slices of made-up brains, some two minutes on one CPU core. Batches of 4, so that
    # there are many steps, took it further than 8. R1 at 1 let the discriminator win for good, 4 in
    # every 8th step did not; mixing and path lengths are tamer than the paper's for so short a run.
    "demo-mri": StyleGan2Settings(
        resolution_px=64,
        latent_size=64,
        mapping_layers=4,
        fmap_base=512,
        fmap_max=32,
        total_kimg=9.0,
        batch_size=4,
        learning_rate=5e-3,
        r1_gamma=4.0,
        r1_interval=8,
        path_length_interval=8,
        style_mixing=0.5,
        ema_half_life_kimg=0.5,
        symmetry="mirror",
        checkpoint_kimg=1.0,
        sample_kimg=3.0,
    ),
}
PRESETS: dict[str, GanSettings] = {**PGGAN, **STYLEGAN2}


def architecture_of(settings: GanSettings) -> str:
    """The name of the networks that these settings are for."""
    return next(name for name, kind in _KINDS.items() if isinstance(settings, kind))


def gan_settings(architecture: str, values: Mapping[str, Any]) -> GanSettings:
    """The settings of that architecture from what `settings_dict` gave.

    Raises:
        ConfigError: there is no such architecture, it has no such setting, or it refuses a value.
    """
    if architecture not in _KINDS:
        raise ConfigError(f"architecture must be {' or '.join(_KINDS)}, got {architecture!r}")
    return settings_from(_KINDS[architecture], values)


def width_at(settings: GanSettings, level: int) -> int:
    """Feature maps at a level of 4 * 2^level px; -1 is PGGAN's last hidden layer.

    Source: `nf(stage)` of either official implementation, stage = level + 1.
    """
    return max(1, min(settings.fmap_base >> (level + 1), settings.fmap_max))

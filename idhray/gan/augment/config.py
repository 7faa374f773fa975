"""Settings of augmentation for small data.

Real and generated images are changed in the same way before the discriminator sees them; the
generator is trained through the change. K2020 is Karras et al. 2020 (arXiv:2006.06676), Z2020 is
Zhao et al. 2020 (arXiv:2006.10738).
"""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.gan.checks import check_above_zero

Mode = Literal["none", "ada", "diffaugment"]
"""Off; adaptive (K2020), each transform with a probability that follows overfitting; or a fixed
policy on every image (Z2020)."""
Pipeline = Literal["rgb", "channels", "geometry"]
"""Meaning of the channels: one color image; contrasts that are never mixed; or no color change."""

MODES = ("none", "ada", "diffaugment")
PIPELINES = ("rgb", "channels", "geometry")


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Transforms and their probability. A switch has an effect only if mode and pipeline use it.

    The defaults suit MRI slices: no transform that mixes channels, and no quarter turns.
    """

    mode: Mode = "none"
    pipeline: Pipeline = "channels"
    null_channels: tuple[int, ...] = ()
    """Channels without a picture, counted from 0; they are not changed."""

    x_flip: bool = True
    """Left-right mirror, adaptive only."""
    quarter_turns: bool = False
    """Rotations by multiples of 90 degrees, adaptive only."""
    integer_shift: bool = True
    """Shift by whole pixels, up to an eighth of the side; both modes."""
    scale: bool = True
    """Change of size; adaptive only."""
    rotation: bool = True
    """Rotation by any angle, before and after `anisotropy`; adaptive only."""
    anisotropy: bool = True
    """Stretch along one axis; adaptive only."""
    fractional_shift: bool = True
    """Shift by fractions of a pixel; adaptive only."""
    luma_flip: bool = False
    """Exchange of dark and light at the same hue; adaptive rgb only."""
    hue: bool = False
    """Rotation of the hue; adaptive rgb only. On a stained slide it makes a stain that does not
    exist."""
    brightness: bool = True
    """Change of brightness, with separate amounts for `channels`; both modes."""
    contrast: bool = True
    """Change of contrast, with separate amounts for `channels`; both modes."""
    saturation: bool = False
    """Change of saturation; rgb only, both modes."""
    cutout: bool = True
    """Gray square of half the side; diffaugment only."""

    target: float = 0.6
    """Mean sign of real images' scores that p is adjusted to. Source: K2020, section 3."""
    interval_batches: int = 4
    """Batches between two changes of p. Source: K2020, section 3."""
    rise_kimg: float = 500.0
    """Thousand images in which p can rise from 0 to 1. Source: K2020, section 3."""
    transfer_rise_kimg: float = 100.0
    """The same for networks that start from others. Source: documentation of their PyTorch code."""
    max_p: float = 0.8
    """Largest p; above 0.8 the generator may learn the augmentation itself.
    Source: K2020, section 2.2 and figure 4; the limit is ours."""
    fixed_p: float | None = None
    """Constant p instead of an adaptive one."""

    def __post_init__(self) -> None:
        """Refuse contradictory settings.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        _check_choice("mode", self.mode, MODES)
        _check_choice("pipeline", self.pipeline, PIPELINES)
        check_above_zero(self, ("interval_batches", "rise_kimg", "transfer_rise_kimg"))
        if not -1 < self.target < 1:
            raise ConfigError(f"target must be between -1 and 1, got {self.target}")
        if not 0 < self.max_p <= 1:
            raise ConfigError(f"max_p must be in (0, 1], got {self.max_p}")
        if self.fixed_p is not None and not 0 <= self.fixed_p <= self.max_p:
            raise ConfigError(f"fixed_p must be in [0, max_p = {self.max_p}], got {self.fixed_p}")
        for name in ("luma_flip", "hue", "saturation"):
            if getattr(self, name) and self.pipeline != "rgb":
                raise ConfigError(
                    f"{name} mixes channels: pipeline must be 'rgb', got {self.pipeline!r}"
                )
        _check_null_channels(self)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be {', '.join(choices)}, got {value!r}")


def _check_null_channels(settings: AugmentSettings) -> None:
    null = settings.null_channels
    if len(set(null)) < len(null) or any(channel < 0 for channel in null):
        raise ConfigError(f"null_channels must be different numbers from 0, got {null}")
    if null and settings.pipeline == "rgb":
        raise ConfigError(f"null_channels must be empty with pipeline 'rgb', got {null}")


def check_channels(settings: AugmentSettings, channels: int) -> None:
    """Refuse images that do not fit the pipeline.

    Raises:
        ConfigError: rgb without 3 channels, or null channels that do not exist or are all channels.
    """
    if settings.mode == "none":
        return
    if settings.pipeline == "rgb" and channels != 3:
        raise ConfigError(f"pipeline 'rgb' needs 3 channels, got {channels}; use 'channels'")
    if any(channel >= channels for channel in settings.null_channels):
        raise ConfigError(
            f"null_channels must be below {channels}, the images' channels, "
            f"got {settings.null_channels}"
        )
    if len(settings.null_channels) == channels:
        raise ConfigError(f"null_channels must leave a channel, got all {channels}")


PRESETS: dict[str, AugmentSettings] = {
    "none": AugmentSettings(),
    # All helpful transforms of K2020 ("bgc": blits, geometry, color; section 3, appendix B).
    "karras2020": AugmentSettings(
        mode="ada",
        pipeline="rgb",
        quarter_turns=True,
        luma_flip=True,
        hue=True,
        saturation=True,
        max_p=1.0,
    ),
    # Z2020's strongest policy: color, translation, cutout (section 3.2).
    "zhao2020": AugmentSettings(mode="diffaugment", pipeline="rgb", saturation=True),
    # Ours, for slices of CE-T1w, FLAIR, null.
    "mri": AugmentSettings(mode="ada", null_channels=(2,)),
    # Ours, for stained patches: a rotated patch is realistic, another stain is not.
    "slides": AugmentSettings(mode="ada", pipeline="rgb", quarter_turns=True),
}

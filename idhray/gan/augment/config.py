"""Settings of augmentation for small data: what the discriminator is shown instead of images.

Real and generated images are changed alike before the discriminator sees them; the generator
learns through the change. K2020 is Karras et al. 2020 (arXiv:2006.06676), Z2020 is Zhao et al.
2020 (arXiv:2006.10738).
"""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.gan.checks import check_above_zero

Mode = Literal["none", "ada", "diffaugment"]
"""Off; adaptive (K2020): each transform with a probability that follows overfitting; or a fixed
policy on every image (Z2020)."""
Pipeline = Literal["rgb", "channels", "geometry"]
"""What channels mean: one color image; contrasts that are never mixed; or no color change."""

MODES = ("none", "ada", "diffaugment")
PIPELINES = ("rgb", "channels", "geometry")


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """Which transforms are made, and how often. A switch counts where mode and pipeline have it.

    The defaults suit MRI slices: nothing that mixes channels, and no quarter turns.
    """

    mode: Mode = "none"
    pipeline: Pipeline = "channels"
    null_channels: tuple[int, ...] = ()
    """Channels without a picture, from 0; they are passed on as they are."""

    x_flip: bool = True
    """Left-right mirror, adaptive only."""
    quarter_turns: bool = False
    """Rotations by multiples of 90 degrees, adaptive only."""
    integer_shift: bool = True
    """By whole pixels, up to an eighth of the side; both modes."""
    scale: bool = True
    """The next five: adaptive only."""
    rotation: bool = True
    """By any angle, before and after `anisotropy`."""
    anisotropy: bool = True
    fractional_shift: bool = True
    luma_flip: bool = False
    """Dark for light, the hue kept; adaptive rgb only."""
    hue: bool = False
    """Adaptive rgb only; of a stained slide it makes a stain that does not exist."""
    brightness: bool = True
    """The next two: rgb, and channels each by its own amount; both modes."""
    contrast: bool = True
    saturation: bool = False
    """rgb only; both modes."""
    cutout: bool = True
    """A square of half the side made gray; diffaugment only."""

    target: float = 0.6
    """The mean sign of real images' scores that p is steered to. Source: K2020, section 3."""
    interval_batches: int = 4
    """Batches between two changes of p. Source: K2020, section 3."""
    rise_kimg: float = 500.0
    """Images in which p can go from 0 to 1. Source: K2020, section 3."""
    transfer_rise_kimg: float = 100.0
    """The same for networks that start from others'. Source: their PyTorch code's documentation."""
    max_p: float = 0.8
    """p stays at or below; above 0.8 the generator may learn the augmentation itself.
    Source: K2020, section 2.2 and figure 4; the limit is ours."""
    fixed_p: float | None = None
    """A p that does not adapt."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

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
    found = settings.null_channels
    if len(set(found)) < len(found) or any(channel < 0 for channel in found):
        raise ConfigError(f"null_channels must be different numbers from 0, got {found}")
    if found and settings.pipeline == "rgb":
        raise ConfigError(f"null_channels must be empty with pipeline 'rgb', got {found}")


def check_channels(settings: AugmentSettings, channels: int) -> None:
    """Refuse images that the pipeline is not for.

    Raises:
        ConfigError: rgb with other than 3 channels, or null channels that are all, or not there.
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
    # All that K2020 found to help ("bgc": blits, geometry, color; section 3, appendix B).
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
    # Ours, for stained patches: any turn is a real patch, another stain is none.
    "slides": AugmentSettings(mode="ada", pipeline="rgb", quarter_turns=True),
}

"""Settings of the copies gate."""

from dataclasses import dataclass

from idhray.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class CopySettings:
    """Definition of a copy, and limits that fail a generator.

    Limits are ours unless a source is named. Those of a copy were chosen on 786 real slices of 62
    patients and 879 H&E patches of 293 source tiles, at 64 px. None of 1134 images of held-out
    patients was taken for a copy by pixels (at 128 px 1 of 120 slices), with margins from 1 down to
    0.96. All shifted, mirrored, brightened and blurred copies were found.
    """

    quantile: float = 0.01
    """Quantile of the distances between real images and their nearest image of another patient."""
    pixel_margin: float = 0.9
    """An image nearer than this fraction of that quantile is a copy, by pixels alone."""
    feature_margin: float = 0.9
    """The same fraction for features, if pixels are nearer than their quantile."""
    max_copy_share: float = 0.02
    """Share of copies among the generated images above which the generator fails."""
    min_c_t: float = -3.0
    """C_T below which the generator copies, if the P over patients is below `alpha`."""
    alpha: float = 0.01
    """Significance level of the C_T test."""
    min_mean_distance: float = 0.7
    """Ratio of mean distances, generated to real images, below which a generator is collapsed."""
    min_vendi: float = 0.5
    """Ratio of Vendi scores, generated to real images, below which a generator is collapsed."""
    max_near_duplicates: float = 0.1
    """Share of near-duplicates of a collapsed generator, above that of as many images of as few
    real patients, whose neighboring slices are near-duplicates by nature. Pixels must agree, too.
    Of 321 H&E patches of 107 source tiles one half against the other exceeded it in 1 of 40
    halvings."""
    cells: int = 5
    """Cells of the C_T test, at most."""
    reference_images: int = 2000
    """Real images that show how near different patients are, at most."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            *("quantile", "pixel_margin", "feature_margin", "max_copy_share", "alpha"),
            *("min_mean_distance", "min_vendi", "max_near_duplicates"),
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not self.min_c_t <= 0:
            raise ConfigError(f"min_c_t must be 0 or less, got {self.min_c_t}")
        for name in ("cells", "reference_images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")

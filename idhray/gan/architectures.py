"""Table of the architectures: everything that the rest of the package asks about one of them.

The type of the settings decides which architecture a run has. A new architecture is a folder of
new files and one entry in `ARCHITECTURES`; no other file depends on which architectures there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from idhray.config import settings_from
from idhray.errors import ConfigError
from idhray.gan.config import GanSettings
from idhray.gan.diffusion.config import PRESETS as DIFFUSION
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.diffusion.networks import DiffusionNetwork, diffusion_images
from idhray.gan.diffusion.run import DiffusionRun
from idhray.gan.diffusion.run import transfer_weights as transfer_diffusion
from idhray.gan.growth import Growth, full_growth
from idhray.gan.pggan.config import PRESETS as PGGAN
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.networks import PgganGenerator, pggan_images
from idhray.gan.pggan.run import PgganRun, wasserstein_gap_limit
from idhray.gan.pggan.schedule import batch_size_at, growth_at
from idhray.gan.run import Run
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.networks import StyleGan2Generator, stylegan2_images, truncated_styles
from idhray.gan.stylegan2.run import StyleGan2Run, logistic_gap_limit
from idhray.gan.stylegan2.transfer import transfer_weights


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One kind of generator. The functions take its own settings, networks and runs."""

    title: str
    """Name in messages."""
    settings: type[Any]
    """Frozen dataclass that provides `GanSettings`."""
    presets: Mapping[str, GanSettings] = field(default_factory=dict)
    run: type[Run]
    """Training: networks, step and optimizers."""
    batch_size: Callable[[Any, int], int]
    """Settings, images shown -> images of the next step, over all workers."""
    losses: tuple[str, ...]
    """Losses of a report, in order; a loss that no step measured is null."""
    gap_limit: Callable[[Any, int], float] | None = None
    """Settings, side in px -> largest sound `score_gap`; None without a discriminator."""
    single_pass: bool = True
    """True if an image takes one call of the network."""
    conditional: bool = False
    """True if one network can serve both classes: `settings` has a field `conditional`."""
    open_ended: bool = False
    """True if no step depends on `total_kimg`, so that a training can be made longer."""
    growth: Callable[[Any, int], Growth] | None = None
    """Settings, images shown -> growth; None if the resolution is full from the start."""
    transfer: Callable[..., None] | None = None
    """Gives a new run the weights of a checkpoint, as `stylegan2.transfer.transfer_weights` does;
    None if a run cannot start from another one's weights."""

    generator: Callable[[Any], nn.Module]
    """Settings -> a new generator, to be filled with the weights of a checkpoint."""
    images: Callable[..., Tensor]
    """Generator, latents or styles, noise, growth, type of the feature maps -> images of -1..1. A
    conditional generator without styles also takes `label`, a class."""
    styles: Callable[..., Tensor] | None = None
    """Generator, (N, Z) latents, truncation psi -> (N, layers, Z) styles, which can be mixed; None
    if images are made from latents, without truncation. A conditional generator also takes
    `label`."""
    noise_size: Callable[[Any], int] | None = None
    """Generator -> normal numbers of an image besides its latents; None without any."""

    def growth_at(self, settings: GanSettings, images_shown: int) -> Growth:
        """Growth after so many images."""
        if self.growth is None:
            return full_growth(settings.resolution_px)
        return self.growth(settings, images_shown)


ARCHITECTURES: dict[str, Architecture] = {
    "pggan": Architecture(
        title="PGGAN",
        settings=PgganSettings,
        presets=PGGAN,
        run=PgganRun,
        batch_size=batch_size_at,
        # It has neither R1 nor path lengths; its reports have always had both keys.
        losses=("d_loss", "g_loss", "score_gap", "r1", "path_length"),
        gap_limit=wasserstein_gap_limit,
        open_ended=True,
        growth=growth_at,
        generator=PgganGenerator,
        images=pggan_images,
    ),
    "stylegan2": Architecture(
        title="StyleGAN2",
        settings=StyleGan2Settings,
        presets=STYLEGAN2,
        run=StyleGan2Run,
        batch_size=lambda settings, images_shown: settings.batch_size,
        losses=("d_loss", "g_loss", "score_gap", "r1", "path_length"),
        gap_limit=logistic_gap_limit,
        conditional=True,
        open_ended=True,
        transfer=transfer_weights,
        generator=StyleGan2Generator,
        images=stylegan2_images,
        styles=truncated_styles,
        noise_size=lambda generator: generator.fixed_noise.shape[1],
    ),
    "diffusion": Architecture(
        title="diffusion model",
        settings=DiffusionSettings,
        presets=DIFFUSION,
        run=DiffusionRun,
        batch_size=lambda settings, images_shown: settings.batch_size,
        losses=("loss",),
        single_pass=False,
        conditional=True,
        open_ended=True,
        transfer=transfer_diffusion,
        generator=DiffusionNetwork,
        images=diffusion_images,
    ),
}
"""Architectures by their name in model.json."""

PRESETS: dict[str, GanSettings] = {
    name: preset
    for architecture in ARCHITECTURES.values()
    for name, preset in architecture.presets.items()
}
"""Presets of all architectures; each needs a name of its own."""
assert len(PRESETS) == sum(len(architecture.presets) for architecture in ARCHITECTURES.values())


def architecture_name(settings: GanSettings) -> str:
    """Name of the architecture that these settings are for.

    Raises:
        ConfigError: no architecture has settings of this type.
    """
    for name, architecture in ARCHITECTURES.items():
        if isinstance(settings, architecture.settings):
            return name
    raise ConfigError(
        f"settings must be those of {' or '.join(ARCHITECTURES)}, got {type(settings).__name__}"
    )


def architecture_of(settings: GanSettings) -> Architecture:
    """Architecture that these settings are for. Raises as `architecture_name`."""
    return ARCHITECTURES[architecture_name(settings)]


def conditional_settings(settings: GanSettings) -> GanSettings:
    """The same settings for one network of both classes.

    Raises:
        ConfigError: the architecture has no such network.
    """
    architecture = architecture_of(settings)
    if not architecture.conditional:
        able = " or ".join(each.title for each in ARCHITECTURES.values() if each.conditional)
        raise ConfigError(
            f"one {architecture.title} cannot make images of both classes; give --idh mutant "
            f"wildtype for one each, or choose a preset of a {able}"
        )
    conditional: GanSettings = replace(settings, conditional=True)  # type: ignore[type-var]
    return conditional


def gan_settings(name: str, values: Mapping[str, Any]) -> GanSettings:
    """Settings of the architecture of that name, from the output of `settings_dict`.

    Raises:
        ConfigError: there is no such architecture, it has no such setting, or it refuses a value.
    """
    if name not in ARCHITECTURES:
        raise ConfigError(f"architecture must be {' or '.join(ARCHITECTURES)}, got {name!r}")
    settings: GanSettings = settings_from(ARCHITECTURES[name].settings, values)
    return settings

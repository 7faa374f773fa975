"""One GAN to be trained: from which images, into which folder, how; checked before anything starts.

A setting that decides what the folder holds is in `said`; workers get all of `config`.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from idhray.cohorts.manifest import Label
from idhray.config import settings_dict
from idhray.errors import ConfigError
from idhray.gan.architectures import architecture_name, architecture_of
from idhray.gan.checkpoint import read_model
from idhray.gan.config import GanSettings
from idhray.gan.engine import Engine
from idhray.gan.growth import full_growth
from idhray.stages.gan_training.callbacks import WhenWorse
from idhray.stages.gan_training.extractors import RANDOM, absolute_features
from idhray.stages.gan_training.fidelity_meter import IMAGES, LEAST
from idhray.stages.runtime.folder import seal
from idhray.storage import absolute

Idh = Label | Literal["any"]
Keep = Literal["last", "best"]


@dataclass(frozen=True, kw_only=True)
class GanTask:
    """One GAN to be trained; the fields are the flags of `train-gan`."""

    images: str
    idh: Idh
    out: str
    settings: GanSettings
    init_from: str | None = None
    adapt_channels: bool = False
    freeze_layers: int = 0
    seed: int = 0
    engine: Engine = field(default_factory=Engine)
    fidelity_every_kimg: float | None = None
    fidelity_images: int = IMAGES
    features: str = RANDOM
    keep: Keep = "last"
    keep_every_kimg: float | None = None
    when_worse: WhenWorse = "continue"
    workers: int = 1
    gpus_per_worker: float | None = None
    cpus_per_worker: int = 1
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Make paths absolute and refuse what contradicts itself.

        Raises:
            ConfigError: the message says which flag.
        """
        for name in ("images", "out", "init_from"):
            if value := getattr(self, name):
                object.__setattr__(self, name, absolute(value))
        _check_networks(self.settings)
        self._check_fidelity()
        for flag, given in (
            ("--freeze-layers keeps", self.freeze_layers),
            ("--adapt-channels changes", self.adapt_channels),
        ):
            if given and not self.init_from:
                raise ConfigError(f"{flag} weights of --init-from, which is not given")

    @property
    def every_kimg(self) -> float:
        """How often fidelity is measured; 0 for never."""
        given = self.fidelity_every_kimg
        return self.settings.sample_kimg if given is None else given

    def said(self) -> dict[str, Any]:
        """All that decides what the folder holds.

        Raises:
            StorageError: an input is not finished.
        """
        chosen = {"keep": self.keep, "when_worse": self.when_worse}
        plain = chosen == {"keep": "last", "when_worse": "continue"}
        return {
            "stage": "train_gan",
            "images": seal(self.images),
            "init_from": seal(self.init_from) if self.init_from else None,
            **self._asked(),
            **settings_dict(self.settings),
            # Only where they decide what comes out.
            **({"adapt_channels": True} if self.adapt_channels else {}),
            **({} if plain else chosen | self._measured()),
        }

    def config(self) -> dict[str, Any]:
        """What a worker has to know, as plain values."""
        return {
            **self._asked(),
            **self._measured(),
            "images": self.images,
            "out": self.out,
            "init_from": self.init_from,
            "adapt_channels": self.adapt_channels,
            "settings": settings_dict(self.settings),
            "engine": asdict(self.engine),
            "keep_every_kimg": self.keep_every_kimg,
            "when_worse": self.when_worse,
            "tables": self._tables(),
        }

    def _asked(self) -> dict[str, Any]:
        return {
            "idh": self.idh,
            "freeze_layers": self.freeze_layers,
            "seed": self.seed,
            "architecture": architecture_name(self.settings),
        }

    def _measured(self) -> dict[str, Any]:
        return {
            "fidelity_every_kimg": self.every_kimg,
            "fidelity_images": self.fidelity_images,
            "features": absolute_features(self.features),
        }

    def _tables(self) -> list[dict[str, Any]]:
        """The tables whose images shaped the weights: these, and those of the source, and so on.

        By digest and by the name of the folder alone: where it lies changes no weight.
        """
        name = self.images.rstrip("/").rsplit("/", 1)[-1]
        own = {"name": name, "digest": seal(self.images), "idh": self.idh}
        return [own, *(read_model(self.init_from).get("tables", []) if self.init_from else [])]

    def _check_fidelity(self) -> None:
        kept = self.keep_every_kimg
        if not self.every_kimg >= 0 or not (kept is None or kept > 0):
            raise ConfigError(
                f"--fidelity-every-kimg must be 0 or more and --keep-every-kimg above 0, got "
                f"{self.every_kimg} and {kept}"
            )
        if self.fidelity_images < LEAST:
            raise ConfigError(
                f"--fidelity-images must be {LEAST} or more, got {self.fidelity_images}"
            )
        if self.keep not in ("last", "best"):
            raise ConfigError(f"keep must be last or best, got {self.keep!r}")
        if self.when_worse not in ("continue", "stop", "roll_back"):
            raise ConfigError(
                f"when_worse must be continue, stop or roll_back, got {self.when_worse!r}"
            )
        for flag, given in (
            ("--keep best", self.keep == "best"),
            ("--when-worse roll_back", self.when_worse == "roll_back"),
        ):
            if given and not self.every_kimg:
                raise ConfigError(f"{flag} goes by fidelity; let --fidelity-every-kimg be above 0")


def _check_networks(settings: GanSettings) -> None:
    """Refuse settings whose images would be useless.

    Raises:
        ConfigError: the schedule ends before full resolution, or images are neither gray nor RGB.
    """
    growth = architecture_of(settings).growth_at(settings, round(settings.total_kimg * 1000))
    if growth != full_growth(settings.resolution_px):
        raise ConfigError(
            f"total_kimg {settings.total_kimg:g} ends at {4 << growth.level} px, before "
            f"{settings.resolution_px} px is faded in; raise it, or let the networks grow faster"
        )
    if settings.channels not in (1, 3):
        raise ConfigError(f"channels must be 1 (gray) or 3 (RGB) here, got {settings.channels}")

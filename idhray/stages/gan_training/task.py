"""Task of one training: its flags, checked before anything starts, and its identity."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from idhray.ancestry import (
    ANCESTRY,
    IMAGE_DIGESTS,
    Ancestor,
    ancestor_of_model,
    joined_digests,
    joined_remarks,
)
from idhray.cohorts.manifest import Label
from idhray.config import Identity, default_values, settings_dict, settings_from
from idhray.errors import ConfigError
from idhray.gan.architectures import (
    architecture_name,
    architecture_of,
    conditional_settings,
    gan_settings,
)
from idhray.gan.checkpoint import BOTH, LENGTH, read_model
from idhray.gan.config import GanSettings, is_conditional
from idhray.gan.engine import Engine, Precision
from idhray.gan.growth import full_growth
from idhray.stages.gan_training.callbacks import WhenWorse
from idhray.stages.gan_training.extractors import RANDOM, absolute_features
from idhray.stages.gan_training.fidelity_meter import IMAGES, LEAST
from idhray.stages.gan_training.fold import GanFold, read_fold
from idhray.stages.gan_training.image_sets import (
    ImageSelection,
    images_read,
    selected_rows,
    training_share,
)
from idhray.stages.runtime.folder import refuse_changed_checkpoint, seal
from idhray.stages.runtime.options import RunFlags
from idhray.storage import absolute
from idhray.table_fingerprints import table_fingerprints

Idh = Label | Literal["both", "any"]
Keep = Literal["last", "best"]


@dataclass(frozen=True, kw_only=True)
class GanFlags(RunFlags):
    """Flags of `idhray train-gan`, except for the class."""

    images: str
    """Folder of a PATCHES or SLICES table. Only its rows of class `idh` and of split `train`, or
    of the training patients of --folds, are used."""
    out: str
    """Folder of the checkpoint and the sample sheets."""
    settings: GanSettings
    """Networks and training schedule."""
    init_from: str | None = None
    """Folder of a GAN whose weights this one starts from; StyleGAN2 only. Its patients also count
    as training patients of the new GAN."""
    folds: str | None = None
    """File of the cohort's folds. The GAN is trained on the training patients of fold --fold,
    whatever the `split` column of the images says."""
    fold: int = 1
    """Number of the fold in --folds."""
    train_per_class: int | None = None
    """Number of training images, shared evenly over the patients, each patient's first by rank.
    Default: the number for which `cut-patches` cut the table, if the table holds more (a reserve,
    or images for other folds); else all."""
    adapt_channels: bool = False
    """Accept weights for another number of channels: first and last layers are changed to fit.
    Black channels (the null channel of Park et al.) are not carried over."""
    freeze_layers: int = 0
    """Blocks of the discriminator, those nearest the image, that keep the weights of
    --init-from."""
    seed: int = 0
    """Seed of weights, image order and latents."""
    precision: Precision = "auto"
    """Type of the feature maps. auto: bfloat16 on a GPU that has it, else float32. This flag and
    the next four may change when a training is continued."""
    compile: bool = False
    """Compile each phase: it takes a minute or more; later steps are faster."""
    cuda_graphs: bool = False
    """Compile, and replay each phase as one CUDA graph: for small steps on a GPU. Not yet run on
    one."""
    deterministic: bool = False
    """Use only GPU kernels that repeat their bits, so that a resumed training equals an unbroken
    one on the same kind of GPU. Slower. Trainings on CPUs are always exact."""
    micro_batch: int | None = None
    """Images that a worker holds at a time. Fewer images need less memory; the training is the
    same."""
    fidelity_every_kimg: float | None = None
    """Interval between measurements of KID; `sample_kimg` by default, 0 for never. It changes no
    weights, except with roll_back."""
    fidelity_images: int = IMAGES
    """Images generated for each measurement, of each class that the network makes. 200 images of
    64 px take 1 to 2 s of a CPU core."""
    features: str = RANDOM
    """Network that makes features of images: random (seeded weights), inception:FILE,
    classifier:FOLDER (of train-classifier) or timm:NAME:FILE."""
    keep: Keep = "last"
    """Checkpoint in the output folder at the end: the last one, or the one with the lowest KID. The
    other one is in the subfolder `best` or `last`."""
    keep_every_kimg: float | None = None
    """Interval at which a generator is kept in the subfolder `kept`."""
    when_worse: WhenWorse = "continue"
    """Reaction to a score gap beyond its limit, or fidelity that gets worse and worse. continue:
    only warn. stop: end the training and publish the best checkpoint. roll_back: return to the best
    checkpoint and continue at half the learning rate, at most three times, then stop. A loss that
    is not finite ends the training, except with roll_back, which returns to the last checkpoint."""
    allow_few: bool = False
    """Train on fewer than 100 images, or images of fewer than 5 patients. Such a GAN repeats its
    images, and no test for copies can tell."""
    workers: int = 1
    """Processes that share each batch. Their number does not change the batches."""
    gpus_per_worker: float | None = None
    """GPUs of each process, possibly a fraction. Default: one if the cluster has GPUs, else
    none."""
    cpus_per_worker: int = 1
    """CPUs of each process."""


@dataclass(frozen=True, kw_only=True)
class GanTask(GanFlags):
    """Training of one GAN on one class."""

    idh: Idh
    """Class of the images; both for one network of both classes, any for all patients."""

    def __post_init__(self) -> None:
        """Make paths absolute and refuse contradictory flags.

        Raises:
            ConfigError: the message names the flag.
        """
        for name in ("images", "out", "init_from", "folds"):
            if value := getattr(self, name):
                object.__setattr__(self, name, absolute(value))
        if self.train_per_class is not None and self.train_per_class < 1:
            raise ConfigError(f"--train-per-class must be 1 or more, got {self.train_per_class}")
        if self.fold != 1 and self.folds is None:
            raise ConfigError(f"--fold {self.fold} needs --folds, the file of the folds")
        if self.idh == BOTH:
            object.__setattr__(self, "settings", conditional_settings(self.settings))
        elif is_conditional(self.settings):
            raise ConfigError(f"--conditional makes images of both classes; give --idh {BOTH}")
        _ = self.engine  # refuses its own flags
        _check_networks(self.settings)
        _check_choices(self)
        _check_fidelity(self)
        for flag, is_set in (
            ("--freeze-layers keeps", self.freeze_layers),
            ("--adapt-channels changes", self.adapt_channels),
        ):
            if is_set and not self.init_from:
                raise ConfigError(f"{flag} weights of --init-from, which is not given")

    @property
    def engine(self) -> Engine:
        """Computation of the training."""
        return Engine(
            precision=self.precision,
            compile=self.compile,
            cuda_graphs=self.cuda_graphs,
            micro_batch=self.micro_batch,
            deterministic=self.deterministic,
        )

    @property
    def fidelity_kimg(self) -> float:
        """Interval between measurements of fidelity; 0 for never."""
        if self.fidelity_every_kimg is None:
            return self.settings.sample_kimg
        return self.fidelity_every_kimg

    def gan_fold(self) -> GanFold | None:
        """Fold whose training patients are used; None for the training split of the table.

        Raises:
            ConfigError: the file has no such fold.
        """
        return read_fold(self.folds, self.fold) if self.folds else None

    def selection(self) -> ImageSelection:
        """Images of the table that are used."""
        fold, limit = self.gan_fold(), self.train_per_class
        if limit is None:
            limit = training_share(self.images, of_fold=fold is not None)
        return ImageSelection(roles=fold.roles if fold else None, train_per_class=limit)

    def identity(self) -> Identity:
        """Values that decide what the output folder holds.

        Raises:
            StorageError: an input is not finished.
            ConfigError: the file of the folds has no such fold.
        """
        defaults = {"adapt_channels": False, "keep": "last", "when_worse": "continue"}
        values = {
            "stage": "train_gan",
            "training_images": self.training_images(),
            "init_from": seal(self.init_from) if self.init_from else None,
            "idh": self.idh,
            "freeze_layers": self.freeze_layers,
            "seed": self.seed,
            "architecture": architecture_name(self.settings),
            **settings_dict(self.settings),
            **({"adapt_channels": True} if self.adapt_channels else {}),
        }
        chosen = {"keep": self.keep, "when_worse": self.when_worse}
        if any(value != defaults[name] for name, value in chosen.items()):
            # Only then does fidelity decide the result.
            values |= chosen | {
                "fidelity_every_kimg": self.fidelity_kimg,
                "fidelity_images": self.fidelity_images,
                "features": absolute_features(self.features),
            }
        former = {name: value for name, value in values.items() if name != "training_images"}
        return Identity(
            values,
            defaults | default_values(self.settings),
            former=former | self._former_inputs(seal(self.images)),
            growing=frozenset({LENGTH} if architecture_of(self.settings).open_ended else ()),
        )

    def training_images(self) -> str:
        """Digest of the training images; see `images_read`."""
        return images_read(self.images, self.idh, "train", self.selection())

    def ancestors(self) -> list[Ancestor]:
        """The GAN that the training starts from; none without one.

        Raises:
            LeakageError: its weights are not those of its record.
        """
        if self.init_from is None:
            return []
        refuse_changed_checkpoint(self.init_from)
        source = ancestor_of_model(self.init_from)
        return [
            replace(
                source,
                name=f"--init-from {self.init_from}",
                advice="start from a GAN of other patients",
            )
        ]

    def ancestry(self) -> dict[str, Any]:
        """Values of model.json: digests of the images of all trainings, and what is unknown."""
        rows = selected_rows(self.images, self.idh, "train", self.selection())
        images = table_fingerprints(self.images).of_rows((row.path, row.number) for row in rows)
        ancestors = self.ancestors()
        return {
            IMAGE_DIGESTS: joined_digests(images.pixels, ancestors),
            ANCESTRY: joined_remarks(ancestors),
        }

    def _former_inputs(self, images_seal: str) -> dict[str, Any]:
        """Values by which earlier versions recorded the training images."""
        fold, limit = self.gan_fold(), self.selection().train_per_class
        return {
            "images": images_seal,
            **({"fold_trained_on": fold.trained_on} if fold else {}),
            **({} if limit is None else {"train_per_class": limit}),
        }

    def tables(self, image_patients: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Tables whose images shape the weights: this one, those of the source, and so on.

        Each is given by its digest and the name of its folder; the path changes no weights. The
        training patients of a fold, a limited number of images, and the largest rank of an image of
        each patient are added.

        Args:
            image_patients: Patient of each training image of this table; none to leave ranks out.
        """
        fold, limit = self.gan_fold(), self.selection().train_per_class
        limits: dict[str, Any] = {"patients": fold.training_patients} if fold else {}
        limits |= {} if limit is None else {"train_per_class": limit}
        if image_patients:  # a training takes the first images of each patient by rank
            limits["last_ranks"] = dict(sorted(Counter(image_patients).items()))
        name = self.images.rstrip("/").rsplit("/", 1)[-1]
        table = {
            "name": name,
            "digest": seal(self.images),
            "rows": self.training_images(),
            "idh": self.idh,
            **limits,
        }
        return [table, *(read_model(self.init_from).get("tables", []) if self.init_from else [])]


def task_values(task: GanTask) -> dict[str, Any]:
    """Task as plain JSON values for the workers of Ray Train."""
    task = replace(task, features=absolute_features(task.features))
    return {"architecture": architecture_name(task.settings), "task": settings_dict(task)}


def task_from(values: Mapping[str, Any]) -> GanTask:
    """Task from the values of `task_values`."""
    settings = gan_settings(values["architecture"], values["task"]["settings"])
    return settings_from(GanTask, {**values["task"], "settings": settings})


def _check_choices(task: GanTask) -> None:
    """Refuse values of `keep` and `when_worse` that do not exist."""
    if task.keep not in ("last", "best"):
        raise ConfigError(f"keep must be last or best, got {task.keep!r}")
    if task.when_worse not in ("continue", "stop", "roll_back"):
        raise ConfigError(
            f"when_worse must be continue, stop or roll_back, got {task.when_worse!r}"
        )


def _check_fidelity(task: GanTask) -> None:
    """Refuse intervals and numbers out of range, and choices by fidelity without fidelity."""
    interval = task.keep_every_kimg
    if not task.fidelity_kimg >= 0 or not (interval is None or interval > 0):
        raise ConfigError(
            f"--fidelity-every-kimg must be 0 or more and --keep-every-kimg above 0, got "
            f"{task.fidelity_kimg} and {interval}"
        )
    if task.fidelity_images < LEAST:
        raise ConfigError(f"--fidelity-images must be {LEAST} or more, got {task.fidelity_images}")
    for flag, is_set in (
        ("--keep best", task.keep == "best"),
        ("--when-worse roll_back", task.when_worse == "roll_back"),
    ):
        if is_set and not task.fidelity_kimg:
            raise ConfigError(f"{flag} needs fidelity; let --fidelity-every-kimg be above 0")


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

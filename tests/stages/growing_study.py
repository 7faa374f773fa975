"""A tiny study whose manifest changes: tiles, patches, generators and experiment follow it.

Stages run in this process, see `in_process.py`, and may be killed at any publication or deletion of
a file.
"""

import hashlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from idhray import ledger, storage
from idhray.classify.aggregate import prediction_rows
from idhray.cohorts.folds import folds_of_roles, read_folds, write_folds
from idhray.experiment.arms import parse_arm
from idhray.experiment.settings import ProtocolSettings
from idhray.generator_records import GeneratorRecord, read_generator, write_generator
from idhray.images import image_cell
from idhray.phantom.patients import PhantomSettings
from idhray.slides.patches import PatchSettings
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.cut_patches import CutPatchesFlags, cut_patches
from idhray.stages.experiment import trial as trial_module
from idhray.stages.experiment.data import added_images, arm_rows_of
from idhray.stages.experiment.settings import ExperimentSettings
from idhray.stages.gan_training.image_sets import ImageSelection, images_read
from idhray.stages.make_phantom import MakePhantomFlags, make_phantom
from idhray.stages.runtime import resuming
from idhray.stages.runtime.folder import DONE
from idhray.stages.sweep import SweepFlags, sweep
from idhray.stages.synthesize import SynthesizeFlags, synthesize
from idhray.stages.tile_slides import TileSlidesFlags, tile_slides
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.storage import SETTINGS, publish_json
from idhray.table_parts import parts, publish_table, read_table
from idhray.tables import PATCHES, PREDICTIONS, SYNTHETIC
from tests.gan.made_up import PGGAN
from tests.stages.made_up_experiment import TINY, rgb

SLIDES = PhantomSettings(width_px=1024, height_px=1024, pen_fraction=0, fold_fraction=0)
TILING = TilingSettings(tile_px=256, min_object_px=20, min_tissue_fraction=0.2)
PATCH = PatchSettings(
    patch_px=64, tile_px=256, train_per_class=12, eval_per_patient=2, min_object_px=20
)
GAN = replace(PGGAN, total_kimg=0.12)
CANDIDATES = 16
ROLES = (("test", "train"), ("test", "val"), ("train", "test"), ("val", "test"))
"""Role of a patient in both folds, by its place."""
CLASSES = ("wildtype", "mutant")
FOLDS = (1, 2)


class Killed(BaseException):
    """End of the process, which no code catches."""


def make_slides(folder):
    """Slides for the whole test; their paths."""
    make_phantom(
        MakePhantomFlags(out=str(folder), settings=SLIDES, patients=CANDIDATES + 4, seed=5)
    )
    return sorted((Path(folder) / "slides").iterdir())


@dataclass
class GrowingStudy:
    """A manifest, and the folders of the stages that follow it."""

    folder: Path
    slides: list[Path]
    real_trainings: bool = False
    rows: dict[str, dict[str, object]] = field(default_factory=dict)
    """Slide -> its row of the manifest, with the place of its patient in the folds."""
    repeats: int = 1
    images: int = 4
    """Images of each generator."""

    def begin(self):
        """Six patients of each label."""
        for number in range(12):
            place = number // 2 % len(ROLES)
            self.add(f"S{number:02d}", CLASSES[number % 2], place, self.slides[number])
        return self

    def add(self, name, idh, place, path):
        """A new patient with one slide."""
        (self.folder / "archive").mkdir(parents=True, exist_ok=True)
        copy = shutil.copy(path, self.folder / "archive" / f"{name}.svs")
        row = {"patient": f"P{name}", "idh": idh, "age": 50, "slide": copy}
        self.rows[name] = {**row, "place": place}

    def roles(self):
        """Role of each patient in each fold."""
        return {
            fold: {row["patient"]: ROLES[row["place"]][fold - 1] for row in self.rows.values()}
            for fold in FOLDS
        }

    def is_valid(self):
        """True if every role of every fold has patients of both labels."""
        places = {(row["idh"], row["place"]) for row in self.rows.values()}
        return len(places) == len(CLASSES) * len(ROLES)

    def fresh(self, folder):
        """The same study in a new folder, on the same slides."""
        return replace(self, folder=Path(folder))

    def update(self, *, last="sweep"):
        """Run the stages on the present manifest, up to one of them."""
        manifest, folds = str(self.folder / "manifest.csv"), self.path("folds.parquet")
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [{k: v for k, v in row.items() if k != "place"} for row in self.rows.values()]
        pd.DataFrame(rows).assign(split="train").to_csv(manifest, index=False)
        labels = {row["patient"]: row["idh"] for row in self.rows.values()}
        write_folds(folds, folds_of_roles(labels, self.roles()))
        tile_slides(
            TileSlidesFlags(manifest=manifest, out=self.path("tiles"), settings=TILING, update=True)
        )
        if last == "tiles":
            return
        cut_patches(
            CutPatchesFlags(
                tiles=self.path("tiles"),
                out=self.path("patches"),
                settings=PATCH,
                folds=folds,
                update=True,
            )
        )
        if last == "patches":
            return
        make = self._train if self.real_trainings else self._made_up
        synthetic = tuple(make(fold, idh, folds) for fold in FOLDS for idh in CLASSES)
        protocol = ProtocolSettings(
            fold_count=2,
            repeats=self.repeats,
            counts=(4,),
            controls=("duplicate",),
            online_arms=False,
            generators="per fold",
        )
        sweep(
            SweepFlags(
                images=self.path("patches"),
                out=self.path("sweep"),
                folds=folds,
                synthetic=synthetic[:: 1 if self.images % 4 else -1],
                settings=ExperimentSettings(protocol=protocol, classifier=TINY),
                amend="the cohort changed",
            )
        )

    def _made_up(self, fold, idh, folds):
        """Images that depend on the training images of a generator, as a training of it would."""
        roles = read_folds(folds).roles(fold)
        selection = ImageSelection(roles=roles, train_per_class=PATCH.train_per_class)
        digest = images_read(self.path("patches"), idh, "train", selection)
        patients = [
            row["patient"]
            for row in self.rows.values()
            if row["idh"] == idh and roles[row["patient"]] == "train"
        ]
        record = GeneratorRecord.of(f"gan {digest}", idh, patients, weights=f"{fold} {digest}")
        folder = self.path(f"synthetic-{fold}-{idh}")
        rows = [
            {
                "generator": record.generator, "seed": 0, "index": i, "psi": 1.0, "idh": idh,
                "trained_on": record.trained_on, "image": image_cell(rgb(idh, digest, i), f"{i}"),
            }
            for i in range(self.images)
        ]  # fmt: skip
        publish_table(f"{folder}/part-0.parquet", rows, SYNTHETIC)
        write_generator(folder, record)
        publish_json(f"{folder}/{SETTINGS}", {"stage": "synthesize"})
        publish_json(f"{folder}/{DONE}", {"digest": f"{digest} {self.images}"})
        return folder

    def _train(self, fold, idh, folds):
        """Images of a generator that is trained anew if its training images have changed."""
        gan, out = (self.path(f"{step}-{fold}-{idh}") for step in ("gan", "synthetic"))
        roles = read_folds(folds).roles(fold)
        selection = ImageSelection(roles=roles, train_per_class=PATCH.train_per_class)
        digest = images_read(self.path("patches"), idh, "train", selection)
        gan, out = f"{gan}-{digest}", f"{out}-{digest}"
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=self.path("patches"),
                idh=idh,
                out=gan,
                settings=GAN,
                folds=folds,
                fold=fold,
                fidelity_every_kimg=0,
                seed=fold,
            )
        )
        synthesize(SynthesizeFlags(checkpoint=gan, out=out, count=self.images))
        return out

    def path(self, name):
        """Path of a file or folder of the study."""
        return str(self.folder / name)

    def tile_bytes(self):
        """Bytes of each part of the tiles."""
        return {Path(path).name: Path(path).read_bytes() for path in parts(self.path("tiles"))}

    def patch_rows(self):
        """Rows of the patches, in the order of their names."""
        return sorted(read_table(self.path("patches"), PATCHES).to_pylist(), key=repr)

    def prediction_rows(self):
        """Rows of the experiment's predictions, in the order of their names.

        A generator is named by its weights. The seal of its checkpoint differs between runs: its
        record names the whole table and all roles of the fold at the time of the training.
        """
        records = [read_generator(str(path)) for path in self.folder.glob("synthetic-*")]
        weights = {record.generator: record.weights for record in records}
        rows = read_table(self.path("sweep"), PREDICTIONS).to_pylist()
        for row in rows:
            names = (row["generator"] or "").split("+")
            row["generator"] = "+".join(weights.get(name, name) for name in names)
        return sorted(rows, key=repr)


def made_up_trial(task, data):
    """Predictions that depend on each image and label that a training would read, and weights."""
    trial, arm = task.trial, parse_arm(task.trial.arm)
    rows, fold = arm_rows_of(data, trial), data.folds[trial.fold]
    added = added_images(trial, rows, task.generators, data, task.settings)
    shown = data.real.view(rows.real).digest() + (added.digest() if added is not None else "")
    predictions = []
    for split, numbers in (("val", fold.val), ("test", fold.test)):
        images = data.real.view(numbers)
        names = [f"{trial.name} {shown} {images.pixels(i).tobytes()}" for i in range(len(images))]
        p = [int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8 for name in names]
        predictions += prediction_rows(
            images,
            np.array(p),
            split=split,
            model=task.settings.backbone,
            n_synthetic=arm.count if arm.kind == "synthetic" else 0,
            repeat=trial.repeat,
        )
    return predictions, {
        "real_images": len(rows.real), "added_images": arm.count, "steps": 1, "images_shown": 1,
        "added_shown": 0, "epoch_chosen": 1, "val_loss": 0.0, "val_auc": 0.5,
    }, {"weights": torch.zeros(1)}  # fmt: skip


def stub_trainings(patch):
    """Replace the training of classifiers."""
    patch.setattr(trial_module, "_network_trial", made_up_trial)


@dataclass
class Killer:
    """Ends the process before or after the nth change of a file."""

    left: int | None = None
    """Changes until then; None for never."""
    changes: int = 0

    def arm(self, patch):
        """Count every publication and deletion of a file."""
        publishing, remove = storage._renamed, storage.remove

        def renamed(target):
            """Publish, unless it is the end."""
            return _Publication(self, publishing(target))

        def removed(path):
            """Delete, unless it is the end."""
            self.tick()
            remove(path)

        patch.setattr(storage, "_renamed", renamed)
        for module in (ledger, resuming):
            patch.setattr(module, "remove", removed)
        return self

    def tick(self):
        """Count one change."""
        self.changes += 1
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Killed


@dataclass
class _Publication:
    """A file that is being published."""

    killer: Killer
    inner: object

    def __enter__(self):
        self.killer.tick()  # before the file is there
        return self.inner.__enter__()

    def __exit__(self, *reason):
        result = self.inner.__exit__(*reason)
        if reason[0] is None:
            self.killer.tick()  # after it
        return result

"""One command for a GAN, or for one of each class: flags, folders, records, failures."""

import dataclasses
import json
import os
import shutil

import pytest

from idhray.cli import run as run_command
from idhray.errors import ConfigError, StorageError, TrainingError
from idhray.gan.checkpoint import read_model, save
from idhray.gan.sample import load_generator
from idhray.stages.gan_training.callbacks import BEST, LAST
from idhray.stages.gan_training.task import GanTask, task_from, task_values
from idhray.stages.runtime import training
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.training import history_of
from idhray.stages.train_gan import TrainGanFlags, train_gan
from idhray.storage import publish_json, read_json
from tests.gan.made_up import STYLEGAN2, start
from tests.stages.gan_patches import patches_of_mutants

GAN = dataclasses.replace(STYLEGAN2, total_kimg=0.12)
NORMAL = {"name": "slices-normal", "digest": "of normal slices", "idh": "any"}


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """A PATCHES folder of 48 images of 8 patients."""
    return patches_of_mutants(tmp_path_factory.mktemp("patches"))


def test_flags_that_contradict_each_other_are_refused(patches, tmp_path):
    """Before Ray starts and anything is written."""
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match="--keep best needs fidelity"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=patches,
                idh="mutant",
                out=out,
                settings=GAN,
                keep="best",
                fidelity_every_kimg=0,
            )
        )
    with pytest.raises(ConfigError, match="--fidelity-images must be 10 or more"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=patches,
                idh="mutant",
                out=out,
                settings=GAN,
                fidelity_images=3,
            )
        )
    with pytest.raises(ConfigError, match="micro_batch must be a multiple of 4"):
        train_gan(
            TrainGanFlags(
                allow_few=True, images=patches, idh="mutant", out=out, settings=GAN, micro_batch=3
            )
        )
    with pytest.raises(ConfigError, match="--when-worse roll_back needs fidelity"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=patches,
                idh="mutant",
                out=out,
                settings=GAN,
                when_worse="roll_back",
                fidelity_every_kimg=0,
            )
        )
    with pytest.raises(ConfigError, match="--adapt-channels changes weights of --init-from"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=patches,
                idh="mutant",
                out=out,
                settings=GAN,
                adapt_channels=True,
            )
        )
    for classes in ((), ("mutant", "mutant")):
        with pytest.raises(ConfigError, match="--idh needs different classes"):
            train_gan(
                TrainGanFlags(allow_few=True, images=patches, idh=classes, out=out, settings=GAN)
            )
    with pytest.raises(StorageError, match="not finished"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=f"{patches}-none",
                idh=("mutant", "any"),
                out=out,
                settings=GAN,
            )
        )
    assert not os.path.exists(out)


def test_flags_choose_one_class_or_several(monkeypatch, capsys):
    """One stays a name, so that the folder is laid out as ever."""
    seen = []

    def stage(flags: TrainGanFlags) -> dict[str, object]:
        """Keep the flags."""
        seen.append(flags.idh)
        return {}

    monkeypatch.setattr("idhray.stages.train_gan.train_gan", stage)
    for classes in (["mutant"], ["mutant", "wildtype"]):
        run_command(["train-gan", "--images", "a", "--idh", *classes, "--out", "b"])

    assert seen == ["mutant", ("mutant", "wildtype")]


def test_a_folder_of_one_gan_is_not_used_for_several(patches, tmp_path):
    """Nor would the other way round be a folder of ours."""
    publish_json(f"{tmp_path}/_settings.json", {"stage": "train_gan"})

    with pytest.raises(StorageError, match="made by one stage; for several GANs choose another"):
        train_gan(
            TrainGanFlags(
                allow_few=True,
                images=patches,
                idh=("mutant", "any"),
                out=str(tmp_path),
                settings=GAN,
            )
        )


@pytest.mark.parametrize(
    ("found", "asked", "at_once"),
    [
        ({"CPU": 8, "GPU": 1}, (1, 1, 0.5), 2),
        ({"CPU": 8, "GPU": 1}, (1, 1, 0.33), 3),
        ({"CPU": 8, "GPU": 1}, (1, 1, 1 / 3), 3),
        ({"CPU": 8, "GPU": 1}, (1, 1, None), 1),
        ({"CPU": 8, "GPU": 4}, (2, 1, None), 2),
        ({"CPU": 3}, (1, 1, None), 3),
        ({"CPU": 3}, (1, 2, None), 1),
        ({"CPU": 1}, (2, 1, None), 1),
    ],
)
def test_there_is_room_for_as_many_as_cpus_and_gpus_allow(monkeypatch, found, asked, at_once):
    """A part of a GPU each, one GPU if nobody says; at least one, which may wait for a cluster."""
    monkeypatch.setattr(training.ray, "cluster_resources", lambda: found)
    monkeypatch.setattr(training, "cluster_gpus", lambda: found.get("GPU", 0))

    workers, cpus, gpus = asked
    assert at_once == training.trainings_at_once(
        workers, cpus_per_worker=cpus, gpus_per_worker=gpus
    )


@pytest.fixture(scope="module")
def normal(tmp_path_factory):
    """A finished checkpoint of two other patients, of three channels, with a record of its own."""
    folder = str(tmp_path_factory.mktemp("normal"))
    run = start(STYLEGAN2, patients=("N1", "N2"))
    run.step()
    save(run, folder, {"tables": [NORMAL], "null_channels": [2]})
    publish_json(f"{folder}/{DONE}", {"digest": "of normal brains"})
    return folder


def test_the_record_names_the_tables_of_all_trainings_before(patches, normal, tmp_path):
    """Copies can be looked for among all images that shaped the weights; paths change nothing."""
    task = GanTask(images=patches, idh="mutant", out=str(tmp_path), settings=GAN, init_from=normal)

    assert task.tables() == [
        {
            "name": os.path.basename(patches),
            "digest": "made up",
            "rows": task.training_images(),
            "idh": "mutant",
        },
        NORMAL,
    ]


def test_a_task_arrives_at_the_workers_as_it_was(patches, normal, tmp_path):
    """Ray Train carries plain JSON values; settings come back with their architecture."""
    task = GanTask(
        images=patches,
        idh="any",
        out=str(tmp_path),
        settings=GAN,
        init_from=normal,
        freeze_layers=1,
        precision="float32",
        keep_every_kimg=0.5,
        gpus_per_worker=0.25,
    )

    assert task_from(json.loads(json.dumps(task_values(task)))) == task


GRAY = dataclasses.replace(GAN, channels=1)
CLASSES = ("mutant", "wildtype")


@pytest.fixture(scope="module")
def flags(normal):
    """How GANs of one channel start from the source of three; measured often."""
    return {
        "init_from": normal, "adapt_channels": True, "fidelity_every_kimg": 0.04,
        "fidelity_images": 20, "keep": "best", "micro_batch": 4, "precision": "float32",
    }  # fmt: skip


@pytest.fixture(scope="module")
def of_two_classes(ray_local, tmp_path_factory, patches, flags):
    """Two GANs by one command, of which one has no folder to itself; theirs, and what was said."""
    out = tmp_path_factory.mktemp("gans") / "gans"
    (out / "wildtype").mkdir(parents=True)
    (out / "wildtype" / "notes.txt").write_text("somebody's")
    with pytest.raises(TrainingError) as caught:
        train_gan(
            TrainGanFlags(
                allow_few=True, images=patches, idh=CLASSES, out=str(out), settings=GRAY, **flags
            )
        )
    return out, str(caught.value)


def test_a_finished_folder_holds_one_checkpoint_and_maybe_the_other(of_two_classes):
    """Nothing of the way there is left; model.json says how it was computed."""
    out = of_two_classes[0] / "mutant"
    model = read_model(str(out))
    kids = {entry["kimg"]: entry["kid"] for entry in history_of(str(out)) if "kid" in entry}
    best = min(kids, key=kids.get)

    assert model["images_shown"] / 1000 == best
    assert model["kid"] == kids[best]
    assert model["computed"]["precision"] == "float32"
    assert model["computed"]["micro_batch"] == 4
    assert (model["warnings"], model["rolled_back"], model["stopped"]) == ([], [], None)
    assert not [n for n in os.listdir(out) if n in (LAST, BEST, "_ray", "_stop")]
    if best < 0.12:
        assert read_model(str(out / "last"))["images_shown"] == 120
        load_generator(str(out / "last"))
    load_generator(str(out))


def test_a_gan_that_started_from_other_channels_says_what_it_has_seen(of_two_classes):
    """Patients and tables of both trainings; its own channel shows something."""
    model = read_model(str(of_two_classes[0] / "mutant"))

    assert model["channels"] == 1
    assert {"N1", "N2", "P0"} < set(model["patients"])
    assert [table["digest"] for table in model["tables"]] == ["made up", NORMAL["digest"]]
    assert model["null_channels"] == []


def test_one_gan_that_fails_costs_no_other_and_only_it_is_open(
    of_two_classes, patches, flags, tmp_path
):
    """The same command goes on; when all are finished it lists each, and trains none."""
    out, said = of_two_classes
    again = tmp_path / "gans"
    for name in CLASSES:  # as if both were finished
        shutil.copytree(out / "mutant", again / name)
        settings = read_json(f"{again}/{name}/_settings.json")
        task = GanTask(images=patches, idh=name, out=str(again), settings=GRAY)
        of_class = {"idh": name, "training_images": task.training_images()}
        publish_json(f"{again}/{name}/_settings.json", {**settings, **of_class})
    done = train_gan(
        TrainGanFlags(
            allow_few=True, images=patches, idh=CLASSES, out=str(again), settings=GRAY, **flags
        )
    )

    assert said.startswith("1 of 2 did not come to their end (wildtype: ")
    assert "not made by idhray (holds notes.txt)" in said
    assert "finished: mutant;" in said
    assert "\n" not in said
    assert sorted(os.listdir(out / "wildtype")) == [".lock", "notes.txt"]
    assert list(done["gans"]) == list(CLASSES)
    for name in CLASSES:
        assert done["gans"][name]["checkpoint"] == str(again / name)
        assert done["gans"][name]["kimg"] in (0.04, 0.08, 0.12)
    assert (again / "mutant" / "weights.safetensors").stat().st_mtime == pytest.approx(
        (out / "mutant" / "weights.safetensors").stat().st_mtime
    )

"""Checkpoint folder of a generator: its networks, its training state, and its record.

weights.safetensors    weights of all networks: generator_ema.*, generator.*, and others
training.pt            optimizers and other state that training continues with; it holds no code
model.json             architecture, settings, class, patients, images shown, origin and version;
                       SHA-256 of weights.safetensors; digests of the images of all trainings;
                       the roles of the patients (`fold`) if it was trained on a fold of the cohort;
               for information only, how it was computed and how good it is
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialize

from idhray import __version__
from idhray.ancestry import WEIGHTS_SHA256
from idhray.cohorts.manifest import LABELS, Label
from idhray.config import default_values, differences, settings_dict, settings_hash
from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.gan.architectures import architecture_name, architecture_of, gan_settings
from idhray.gan.config import GanSettings
from idhray.gan.run import Run
from idhray.gan.weights import WEIGHTS, read_weights
from idhray.generator_records import is_list_of, patients_hash
from idhray.storage import exists, join, read_bytes, read_json

TRAINING = "training.pt"
MODEL = "model.json"
LENGTH = "total_kimg"
"""Setting that may become larger when a training is continued."""
BOTH = "both"
"""Class of a checkpoint whose one network makes images of either class."""


def save(run: Run, folder: str, about: Mapping[str, Any] | None = None) -> None:
    """Write a checkpoint into a local folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, data in checkpoint_files(run, about).items():
        Path(folder, name).write_bytes(data)


def checkpoint_files(run: Run, about: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Files of a checkpoint folder by name, in the order in which to publish them.

    They are made in memory, so that only one writer can meet a full disk, and report it.

    Args:
        run: Run after any step.
        about: Further entries of model.json, which do not decide whether a run may continue.
    """
    weights = {
        f"{name}.{key}": value.contiguous()
        for name, network in run.networks.items()
        for key, value in network.state_dict().items()
    }
    training = io.BytesIO()
    torch.save({"images_shown": run.images_shown, **run.training_state()}, training)
    data = serialize(weights)
    model = {
        **_identity(run),
        WEIGHTS_SHA256: hashlib.sha256(data).hexdigest(),
        "images_shown": run.images_shown,
        "idhray": __version__,
        "computed": computed(run),
        **(about or {}),
    }
    return {
        WEIGHTS: data,
        TRAINING: training.getvalue(),
        MODEL: (json.dumps(model, indent=2) + "\n").encode(),
    }


def computed(run: Run) -> dict[str, Any]:
    """Precision, compilation, workers and device of a run: only rounding depends on them."""
    cuda = run.device.type == "cuda"
    return {
        **run.engine.facts(architecture_name(run.settings), run.device),
        "workers": run.worker.size,
        "device": torch.cuda.get_device_name(run.device) if cuda else run.device.type,
        "torch": torch.__version__,
    }


def restore(run: Run, folder: str) -> None:
    """Bring a new run to the state of a checkpoint, perhaps of a shorter training.

    Raises:
        SettingsChangedError: settings, seed, class, patients or number of images are not the
            checkpoint's; the message names them.
        StorageError: a file is missing or corrupt.
    """
    _refuse_changes(read_model(folder), run, folder)
    weights = read_weights(folder)
    for name, network in run.networks.items():
        weights.fill(network, name)
    training = _read_training(folder)
    try:
        run.images_shown = training["images_shown"]
        run.load_training_state(training)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StorageError(f"{folder}/{TRAINING}: does not fit the networks ({error})") from None


def read_model(folder: str) -> dict[str, Any]:
    """Content of model.json: architecture, settings and training data of a generator.

    Raises:
        StorageError: the file is missing, names an unknown architecture, or contradicts itself.
    """
    model = read_json(f"{folder}/{MODEL}")
    keys = ("architecture", "settings", "idh", "images_shown", "seed", "patients", "trained_on")
    if missing := [key for key in keys if key not in model]:
        raise StorageError(f"{folder}/{MODEL}: lacks {', '.join(missing)}; not a GAN checkpoint")
    try:
        read_settings(model)
    except ConfigError as error:
        raise StorageError(f"{folder}/{MODEL}: {error}; use the idhray that wrote it") from None
    if not is_list_of(model["patients"], model["trained_on"], model.get("remaining")):
        raise StorageError(f"{folder}/{MODEL}: the list of patients does not match its hash")
    fold = model.get("fold")
    if fold and fold["digest"] != settings_hash(fold["roles"]):
        raise StorageError(f"{folder}/{MODEL}: the roles of its fold do not match their digest")
    return model


def class_of_images(model: Mapping[str, Any], idh: str | None, folder: str) -> str:
    """Class of the images that a checkpoint is to make.

    Args:
        model: Content of its model.json.
        idh: Class that was asked for; None for that of the checkpoint.
        folder: Folder of the checkpoint, for the message.

    Raises:
        ConfigError: the checkpoint has both classes and none was asked for, or another one.
    """
    of_model = str(model["idh"])
    if of_model == BOTH:
        if idh not in LABELS:
            raise ConfigError(
                f"{folder}: a generator of both classes; give --idh mutant or --idh wildtype"
            )
        return str(idh)
    if idh not in (None, of_model):
        raise ConfigError(f"{folder}: a generator of class {of_model}, not {idh}; leave --idh out")
    return of_model


def class_of_network(checkpoint: str, idh: Label | None) -> Label | None:
    """Class to ask of a checkpoint of both classes; None for a checkpoint of one class.

    Raises:
        ConfigError: it is missing, or the checkpoint is of another class.
    """
    model = read_model(checkpoint)
    class_of_images(model, idh, checkpoint)
    return idh if model["idh"] == BOTH else None


def read_settings(model: Mapping[str, Any]) -> GanSettings:
    """Settings in the output of `read_model`, of the type of its architecture."""
    return gan_settings(model["architecture"], model["settings"])


def _identity(run: Run) -> dict[str, Any]:
    """Values of model.json that a run must share with its checkpoint."""
    return {
        "architecture": architecture_name(run.settings),
        "settings": settings_dict(run.settings),
        "channels": run.settings.channels,
        "idh": run.idh,
        "seed": run.seed,
        "images": len(run.images),
        "patients": list(run.patients),
        "trained_on": patients_hash(run.patients),
        "initialised_from": run.initialized_from,
        "freeze_layers": run.freeze_layers,
    }


def _refuse_changes(model: dict[str, Any], run: Run, folder: str) -> None:
    identity = _identity(run)
    keys = [key for key in identity if key not in ("settings", "patients")]
    settings = dict(model["settings"])
    if architecture_of(run.settings).open_ended and settings[LENGTH] < run.settings.total_kimg:
        settings[LENGTH] = run.settings.total_kimg
    changed = differences(settings, identity["settings"], default_values(run.settings))
    changed += differences({k: model.get(k) for k in keys}, {k: identity[k] for k in keys}, {})
    if changed:
        raise SettingsChangedError(
            f"{folder}: a checkpoint of another run ({'; '.join(changed)}); "
            "give the old settings to continue, or start anew in another folder"
        )


def _read_training(folder: str) -> dict[str, Any]:
    path = join(folder, TRAINING)
    if not exists(path):
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    data = io.BytesIO(read_bytes(path))
    try:
        state: dict[str, Any] = torch.load(data, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  zip, pickle and torch each raise their own
        reason = str(error).split("\n")[0]
        raise StorageError(f"{path}: corrupt ({reason}); use an earlier checkpoint") from None
    return state

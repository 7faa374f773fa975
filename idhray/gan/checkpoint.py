"""A GAN in a folder: its three networks, what is needed to train on, and what it was made of.

weights.safetensors    generator_ema.*, generator.*, discriminator.*
training.pt            both optimizers and the phase they are in (tensors and numbers only)
model.json             architecture, settings, class, patients, images shown, version
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import nn

from idhray import __version__
from idhray.config import differences, settings_dict, settings_from
from idhray.errors import SettingsChangedError, StorageError
from idhray.gan.config import GanSettings
from idhray.gan.trainer import Run, prepare
from idhray.leakage import patients_hash
from idhray.storage import exists, join, read_bytes, read_json

WEIGHTS = "weights.safetensors"
TRAINING = "training.pt"
MODEL = "model.json"
ARCHITECTURE = "pggan"


def save(run: Run, folder: str) -> None:
    """Write a checkpoint into a local folder; the caller publishes it when it is whole."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    weights = {
        f"{name}.{key}": value.contiguous()
        for name, network in _networks(run).items()
        for key, value in network.state_dict().items()
    }
    save_file(weights, Path(folder, WEIGHTS))
    training = {
        "images_shown": run.images_shown,
        "level": run.level,
        "fading": run.fading,
        "g_optimizer": run.g_optimizer and run.g_optimizer.state_dict(),
        "d_optimizer": run.d_optimizer and run.d_optimizer.state_dict(),
    }
    torch.save(training, Path(folder, TRAINING))
    model = {**_identity(run), "images_shown": run.images_shown, "idhray": __version__}
    Path(folder, MODEL).write_text(json.dumps(model, indent=2) + "\n")


def restore(run: Run, folder: str) -> None:
    """Bring a new run to where the run of a checkpoint was.

    Raises:
        SettingsChangedError: settings, seed, class, patients or number of images are not the
            checkpoint's; the message says which.
        StorageError: a file is missing or corrupt.
    """
    _refuse_changes(read_model(folder), _identity(run), folder)
    for name, network in _networks(run).items():
        load_network(network, folder, name)
    training = _read_training(folder)
    try:
        run.images_shown = training["images_shown"]
        if training["level"] < 0:
            return  # saved before the first step
        prepare(run, training["level"], training["fading"])
        assert run.g_optimizer is not None
        assert run.d_optimizer is not None
        run.g_optimizer.load_state_dict(training["g_optimizer"])
        run.d_optimizer.load_state_dict(training["d_optimizer"])
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{folder}/{TRAINING}: does not fit the networks ({error})") from None


def read_model(folder: str) -> dict[str, Any]:
    """`model.json`: what the GAN is and what it was trained on.

    Raises:
        StorageError: it is missing, of another architecture, or contradicts itself.
    """
    model = read_json(f"{folder}/{MODEL}")
    keys = ("architecture", "settings", "idh", "images_shown", "seed", "patients", "trained_on")
    if missing := [key for key in keys if key not in model]:
        raise StorageError(f"{folder}/{MODEL}: lacks {', '.join(missing)}; not a GAN checkpoint")
    if model["architecture"] != ARCHITECTURE:
        raise StorageError(f"{folder}: holds a {model['architecture']}, not a {ARCHITECTURE}")
    if model["trained_on"] != patients_hash(model["patients"]):
        raise StorageError(f"{folder}/{MODEL}: the list of patients does not match its hash")
    return model


def read_settings(model: Mapping[str, Any]) -> GanSettings:
    """The settings in what `read_model` gave."""
    return settings_from(GanSettings, model["settings"])


def load_network(network: nn.Module, folder: str, name: str) -> None:
    """Fill a network with the weights saved as `name.*`.

    Raises:
        StorageError: the file is missing, corrupt, or holds other weights.
    """
    path = join(folder, WEIGHTS)
    if not exists(path):
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    try:
        weights = load(read_bytes(path))
    except SafetensorError as error:
        raise StorageError(f"{path}: corrupt ({error}); use an earlier checkpoint") from None
    prefix = f"{name}."
    state = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise StorageError(f"{path}: {name} does not fit its settings ({error})") from None


def _networks(run: Run) -> dict[str, nn.Module]:
    return {
        "generator_ema": run.average,
        "generator": run.generator,
        "discriminator": run.discriminator,
    }


def _identity(run: Run) -> dict[str, Any]:
    return {
        "architecture": ARCHITECTURE,
        "settings": settings_dict(run.settings),
        "channels": run.settings.channels,
        "idh": run.idh,
        "seed": run.seed,
        "images": len(run.images),
        "patients": list(run.patients),
        "trained_on": patients_hash(run.patients),
    }


def _refuse_changes(model: dict[str, Any], identity: dict[str, Any], folder: str) -> None:
    keys = [key for key in identity if key not in ("settings", "patients")]
    changed = differences(model["settings"], identity["settings"])
    changed += differences({k: model.get(k) for k in keys}, {k: identity[k] for k in keys})
    if changed:
        raise SettingsChangedError(
            f"{folder}: a checkpoint of another run ({'; '.join(changed)}); "
            "give the old settings to continue, or start anew in another folder"
        )


def _read_training(folder: str) -> dict[str, Any]:
    path = Path(folder, TRAINING)
    if not path.is_file():
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  zip, pickle and torch each raise their own
        raise StorageError(f"{path}: corrupt ({error}); use an earlier checkpoint") from None
    return state

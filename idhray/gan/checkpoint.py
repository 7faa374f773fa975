"""A GAN in a folder: its three networks, what is needed to train on, and what it was made of.

weights.safetensors    generator_ema.*, generator.*, discriminator.*
training.pt            both optimizers, and what else the architecture goes on with (no code in it)
model.json             architecture, settings, class, patients, images shown, origin, version, and,
                       as information only, how it was computed and how good it is
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save as serialize
from torch import Tensor, nn

from idhray import __version__
from idhray.config import differences, settings_dict
from idhray.errors import ConfigError, SettingsChangedError, StorageError
from idhray.gan.config import GanSettings, architecture_of, gan_settings
from idhray.gan.run import Run
from idhray.leakage import patients_hash
from idhray.storage import exists, join, read_bytes, read_json

WEIGHTS = "weights.safetensors"
TRAINING = "training.pt"
MODEL = "model.json"


def save(run: Run, folder: str, about: Mapping[str, Any] | None = None) -> None:
    """Write a checkpoint into a local folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, data in checkpoint_files(run, about).items():
        Path(folder, name).write_bytes(data)


def checkpoint_files(run: Run, about: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """What a checkpoint folder holds, by name, in the order in which to publish it.

    In memory, so that a full disk is met by one writer only, which says so.

    Args:
        run: After any step.
        about: More to say in model.json: nothing of it decides whether a run may continue.
    """
    weights = {
        f"{name}.{key}": value.contiguous()
        for name, network in networks(run).items()
        for key, value in network.state_dict().items()
    }
    training = io.BytesIO()
    torch.save({"images_shown": run.images_shown, **run.training_state()}, training)
    model = {
        **_identity(run),
        "images_shown": run.images_shown,
        "idhray": __version__,
        "computed": computed(run),
        **(about or {}),
    }
    return {
        WEIGHTS: serialize(weights),
        TRAINING: training.getvalue(),
        MODEL: (json.dumps(model, indent=2) + "\n").encode(),
    }


def computed(run: Run) -> dict[str, Any]:
    """How the numbers of a run are computed: information, as nothing but rounding depends on it."""
    cuda = run.device.type == "cuda"
    return {
        "precision": str(run.engine.dtype(run.device)).removeprefix("torch."),
        "compile": run.engine.compile,
        "micro_batch": run.engine.micro_batch,
        "workers": run.worker.size,
        "device": torch.cuda.get_device_name(run.device) if cuda else run.device.type,
        "torch": torch.__version__,
    }


def restore(run: Run, folder: str) -> None:
    """Bring a new run to where the run of a checkpoint was.

    Raises:
        SettingsChangedError: settings, seed, class, patients or number of images are not the
            checkpoint's; the message says which.
        StorageError: a file is missing or corrupt.
    """
    _refuse_changes(read_model(folder), _identity(run), folder)
    weights = read_weights(folder)
    for name, network in networks(run).items():
        weights.fill(network, name)
    training = _read_training(folder)
    try:
        run.images_shown = training["images_shown"]
        run.load_training_state(training)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StorageError(f"{folder}/{TRAINING}: does not fit the networks ({error})") from None


def read_model(folder: str) -> dict[str, Any]:
    """`model.json`: what the GAN is and what it was trained on.

    Raises:
        StorageError: it is missing, of an unknown architecture, or contradicts itself.
    """
    model = read_json(f"{folder}/{MODEL}")
    keys = ("architecture", "settings", "idh", "images_shown", "seed", "patients", "trained_on")
    if missing := [key for key in keys if key not in model]:
        raise StorageError(f"{folder}/{MODEL}: lacks {', '.join(missing)}; not a GAN checkpoint")
    try:
        read_settings(model)
    except ConfigError as error:
        raise StorageError(f"{folder}/{MODEL}: {error}; use the idhray that wrote it") from None
    if model["trained_on"] != patients_hash(model["patients"]):
        raise StorageError(f"{folder}/{MODEL}: the list of patients does not match its hash")
    return model


def read_settings(model: Mapping[str, Any]) -> GanSettings:
    """The settings in what `read_model` gave; their type is that of the architecture."""
    return gan_settings(model["architecture"], model["settings"])


@dataclass(frozen=True)
class Weights:
    """What weights.safetensors holds: tensors by network and name, `generator.first.bias`."""

    path: str
    tensors: Mapping[str, Tensor]
    hash: str
    """16 hex digits of the file."""

    def fill(self, network: nn.Module, name: str) -> None:
        """Give a network the weights saved as `name.*`.

        Raises:
            StorageError: there are others.
        """
        prefix = f"{name}."
        state = {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise StorageError(f"{self.path}: {name} does not fit its settings ({said})") from None


def read_weights(folder: str) -> Weights:
    """The weights of a checkpoint folder.

    Raises:
        StorageError: the file is missing or corrupt.
    """
    path = join(folder, WEIGHTS)
    if not exists(path):
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    data = read_bytes(path)
    try:
        return Weights(path, load(data), hashlib.sha256(data).hexdigest()[:16])
    except SafetensorError as error:
        raise StorageError(f"{path}: corrupt ({error}); use an earlier checkpoint") from None


def networks(run: Run) -> dict[str, nn.Module]:
    """The three networks of a run by the name that their weights have in a checkpoint."""
    return {
        "generator_ema": run.average,
        "generator": run.generator,
        "discriminator": run.discriminator,
    }


def _identity(run: Run) -> dict[str, Any]:
    return {
        "architecture": architecture_of(run.settings),
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
    path = join(folder, TRAINING)
    if not exists(path):
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    data = io.BytesIO(read_bytes(path))
    try:
        state: dict[str, Any] = torch.load(data, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  zip, pickle and torch each raise their own
        why = str(error).split("\n")[0]
        raise StorageError(f"{path}: corrupt ({why}); use an earlier checkpoint") from None
    return state

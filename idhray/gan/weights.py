"""Weights of a checkpoint folder: tensors by network and name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from idhray.ancestry import MODEL_FILE, refuse_other_weights
from idhray.errors import StorageError
from idhray.storage import exists, join, read_bytes, read_json

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class CheckpointWeights:
    """Content of weights.safetensors; names are like `generator.first.bias`."""

    path: str
    tensors: Mapping[str, Tensor]
    hash: str
    """16 hex digits of the file."""

    def digest(self, name: str) -> str:
        """16 hex digits of the values saved as `name.*`, whatever else the file holds."""
        content = hashlib.sha256()
        for key in sorted(key for key in self.tensors if key.startswith(f"{name}.")):
            tensor = self.tensors[key].contiguous()
            content.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            content.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
        return content.hexdigest()[:16]

    def fill(self, network: nn.Module, name: str) -> None:
        """Give a network the weights saved as `name.*`.

        Raises:
            StorageError: the saved weights are those of another network.
        """
        prefix = f"{name}."
        state = {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise StorageError(
                f"{self.path}: {name} does not fit its settings ({reason})"
            ) from None


def read_weights(folder: str) -> CheckpointWeights:
    """Weights of a checkpoint folder.

    Raises:
        StorageError: the file is missing or corrupt.
        LeakageError: model.json beside it describes other weights.
    """
    path = join(folder, WEIGHTS)
    if not exists(path):
        raise StorageError(f"{path}: no such file; the checkpoint is incomplete")
    data = read_bytes(path)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise StorageError(f"{path}: corrupt ({error}); use an earlier checkpoint") from None
    if exists(join(folder, MODEL_FILE)):
        refuse_other_weights(folder, read_json(join(folder, MODEL_FILE)), data)
    return CheckpointWeights(path, tensors, hashlib.sha256(data).hexdigest()[:16])


@dataclass(frozen=True, kw_only=True)
class TransferSource:
    """A checkpoint whose weights a new run starts from."""

    folder: str
    model: Mapping[str, Any]
    """Content of its model.json."""
    settings: Any
    """Its settings, of the same type as those of the run."""
    weights: CheckpointWeights

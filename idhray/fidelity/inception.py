"""Features of the Inception-v3 behind published FIDs, from a local file of its weights.

Published FIDs use one network: TensorFlow's Inception of 2015-12-05, in PyTorch
`pt_inception-2015-12-05-6726825d.pth`.
"""

# Not torch-fidelity 0.4.0: unpickles the file unchecked, needs torchvision's ops, differs by 2e-7.

import hashlib
import io
import pickle
from pathlib import PurePath

import torch
from torch import Tensor

from idhray.errors import StorageError
from idhray.fidelity.features import Extractor
from idhray.fidelity.inception_network import InceptionV3
from idhray.storage import read_bytes

PUBLISHED = "6726825d"  # first digits of the published file's SHA-256
BATCH_SIZE = 32


def inception_features(path: str, *, device: str = "cpu") -> Extractor:
    """Extractor from Inception's last pool, F = 2048: FID and KID are on the published scale.

    Args:
        path: File or URI of `pt_inception-2015-12-05-6726825d.pth`; it is not downloaded. Another
            file with the same tensors is accepted, but the name of the extractor says so.
        device: Device that the network runs on.

    Raises:
        StorageError: The file is missing, is no plain state_dict, or belongs to another network.
    """
    data = read_bytes(path)
    with torch.random.fork_rng(devices=[]):  # spares the random state of a running training
        network = InceptionV3()
    network.load_state_dict(_weights(path, data, network.state_dict()))
    network = network.to(device).eval().requires_grad_(False)
    digest = hashlib.sha256(data).hexdigest()
    is_published = digest.startswith(PUBLISHED)
    scale = "" if is_published else ", not the weights of published FIDs"
    name = f"Inception-v3 of {PurePath(path).name} (sha256 {digest[:16]}{scale})"
    return Extractor(name=name, embed=network, device=device, batch_size=BATCH_SIZE)


def _weights(path: str, data: bytes, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the file that the network has; the head of the file is not needed."""
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise StorageError(f"{path}: no weights can be read ({reason})") from None
    if not isinstance(state, dict):
        raise StorageError(f"{path}: holds no state_dict; save network.state_dict() alone")
    # Older files lack the counters of batch normalization, which are not used.
    counters = {name: value for name, value in expected.items() if name.endswith("tracked")}
    state = {name: state.get(name, counters.get(name)) for name in expected}
    mismatched = [
        name
        for name, value in state.items()
        if not isinstance(value, Tensor) or value.shape != expected[name].shape
    ]
    if mismatched:
        raise StorageError(
            f"{path}: not the weights of FID's Inception-v3: {len(mismatched)} of {len(expected)} "
            f"tensors are missing or of another shape ({mismatched[0]}); give "
            "pt_inception-2015-12-05-6726825d"
        )
    return {name: value for name, value in state.items() if value is not None}

"""Features by the Inception-v3 of published FIDs, from a local file of its weights.

FIDs of papers are made by one network: TensorFlow's Inception of 2015-12-05, known to PyTorch as
`pt_inception-2015-12-05-6726825d.pth`. torch-fidelity has it, but cannot be imported where
torchvision cannot, and unpickles whatever the file holds; so the network is written here.
"""

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

PUBLISHED = "6726825d"  # how the SHA-256 of the published file starts


def inception_features(path: str, *, device: str = "cpu", batch_size: int = 32) -> Extractor:
    """An extractor by Inception's last pool, F = 2048: FID and KID are on the published scale.

    Args:
        path: File or URI of `pt_inception-2015-12-05-6726825d.pth`; it is not downloaded. Another
            file of the same tensors is taken, but the name of the extractor says so.
        device: Where it runs.
        batch_size: Images at a time.

    Raises:
        StorageError: the file is missing, is no plain state_dict, or is of another network.
    """
    data = read_bytes(path)
    with torch.random.fork_rng(devices=[]):  # a training that is being evaluated must not notice
        network = InceptionV3()
    network.load_state_dict(_weights(path, data, network.state_dict()))
    network = network.to(device).eval().requires_grad_(False)
    digest = hashlib.sha256(data).hexdigest()
    known = digest.startswith(PUBLISHED)
    scale = "" if known else ", not the weights of published FIDs"
    name = f"Inception-v3 of {PurePath(path).name} (sha256 {digest[:16]}{scale})"
    return Extractor(name=name, embed=network, device=device, batch_size=batch_size)


def _weights(path: str, data: bytes, own: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors that the network has; the head of the file is not needed."""
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        raise StorageError(f"{path}: no weights can be read ({reason})") from None
    if not isinstance(state, dict):
        raise StorageError(f"{path}: holds no state_dict; save network.state_dict() alone")
    # The counters of batch normalization, which older files lack, are not used.
    state = {name: state.get(name, own[name] if name.endswith("tracked") else None) for name in own}
    wrong = [n for n, v in state.items() if not isinstance(v, Tensor) or v.shape != own[n].shape]
    if wrong:
        raise StorageError(
            f"{path}: not the weights of FID's Inception-v3: {len(wrong)} of {len(own)} tensors "
            f"are missing or of another shape ({wrong[0]}); give pt_inception-2015-12-05-6726825d"
        )
    return {name: value for name, value in state.items() if value is not None}

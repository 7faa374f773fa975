"""Convert published weights of stylegan2-ada-pytorch to a checkpoint for `train-gan --init-from`.

    python -m idhray.stages.gan_training.published --state FILE.safetensors --name ffhq256 \\
        --trained-on "70,000 photographs of faces (FFHQ)" --license "CC BY-NC 4.0" --out FOLDER

The published files are pickles, which run code when they are opened; idhray opens none. Export a
state dict where that program is installed and its file is trusted:

    networks = legacy.load_network_pkl(open("ffhq256.pkl", "rb"))
    tensors = {f"{part}.{name}": value.contiguous() for part in ("G", "D", "G_ema")
               for name, value in networks[part].state_dict().items()}
    safetensors.torch.save_file(tensors, "ffhq256.safetensors")

Networks with classes are refused. Groups of the minibatch standard deviation are neighbors here.
The license of the weights holds for what is trained from them; it is recorded in `model.json`, and
as an ancestor in every result that descends from them.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from safetensors import SafetensorError
from safetensors.torch import load, save

from idhray import __version__
from idhray.ancestry import ANCESTRY, IMAGE_DIGESTS, WEIGHTS_SHA256
from idhray.config import settings_dict
from idhray.errors import ConfigError, IdhrayError, StorageError
from idhray.fingerprints import packed_digests
from idhray.gan.checkpoint import MODEL
from idhray.gan.snapshots import publish_files
from idhray.gan.stylegan2.published import published_settings, published_weights
from idhray.gan.weights import WEIGHTS
from idhray.generator_records import patients_hash
from idhray.stages.gan_training.pretraining import PUBLISHED
from idhray.stages.runtime.folder import DONE, publish_seal
from idhray.storage import absolute, exists, join


@dataclass(frozen=True, kw_only=True)
class PublishedFlags:
    """Flags of the conversion."""

    state: Path
    """State dict of G, D and G_ema as safetensors."""
    name: str
    """Name of the weights, for records."""
    trained_on: str
    """Images that the weights were trained on, in words. They must show no patient of yours."""
    license: str
    """License of the weights."""
    out: str
    """Folder of the checkpoint."""


def convert_published(flags: PublishedFlags) -> dict[str, Any]:
    """Write the checkpoint; the folder is sealed last.

    Raises:
        StorageError: the file is no safetensors file, or the folder is in use.
        ConfigError: the networks are of another kind, or a flag is empty.
    """
    for flag in ("name", "trained_on", "license"):
        if not getattr(flags, flag).strip():
            raise ConfigError(f"--{flag.replace('_', '-')} is empty; it goes into every record")
    out = absolute(flags.out)
    if exists(join(out, DONE)) or exists(join(out, MODEL)):
        raise StorageError(f"{out}: holds a checkpoint; choose another --out")
    try:
        data = flags.state.read_bytes()
        state = load(data)
    except (OSError, SafetensorError) as error:
        raise StorageError(
            f"{flags.state}: no safetensors file ({error}); export it as `python -m "
            "idhray.stages.gan_training.published --help` shows"
        ) from None
    settings, weights = published_settings(state), save(published_weights(state))
    digest = hashlib.sha256(data).hexdigest()
    record = {
        "name": flags.name,
        "trained_on": flags.trained_on,
        "license": flags.license,
        "sha256": digest,
    }
    model = {
        "architecture": "stylegan2",
        "settings": settings_dict(settings),
        "channels": settings.channels,
        "idh": "any",
        "seed": 0,
        "images": 0,
        "images_shown": 0,
        "patients": [],
        "trained_on": patients_hash(()),
        "initialised_from": None,
        "freeze_layers": None,
        "idhray": __version__,
        WEIGHTS_SHA256: hashlib.sha256(weights).hexdigest(),
        IMAGE_DIGESTS: packed_digests([]),
        ANCESTRY: [_sentence(flags)],
        PUBLISHED: [record],
        "tables": [{"name": flags.name, "digest": digest[:16], "idh": "any", PUBLISHED: True}],
    }
    publish_files({WEIGHTS: weights, MODEL: (json.dumps(model, indent=2) + "\n").encode()}, out)
    return {"out": out, "generator": publish_seal(out), "resolution_px": settings.resolution_px}


def _sentence(flags: PublishedFlags) -> str:
    """Sentence on what nobody can check: the images behind the weights, and their license."""
    return (
        f"Weights {flags.name} of another program were trained on: {flags.trained_on} (as declared,"
        f" so overlap cannot be excluded); their license: {flags.license}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, and print one line of JSON."""
    flags = tyro.cli(PublishedFlags, args=arguments, description=__doc__)
    try:
        result = convert_published(flags)
    except IdhrayError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

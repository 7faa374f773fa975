"""Start a GAN from another one's weights, trained on other images: transfer.

Source: Park et al. 2021, Methods: 500 normal brains first, then IDH-mutant tumours.
"""

from idhray.config import differences, settings_dict
from idhray.errors import ConfigError
from idhray.gan.checkpoint import networks, read_model, read_settings, read_weights
from idhray.gan.run import Run
from idhray.gan.stylegan2_config import NETWORK, StyleGan2Settings
from idhray.gan.stylegan2_run import StyleGan2Run


def init_from(run: Run, folder: str, freeze_layers: int = 0) -> None:
    """Give a new run the networks of a checkpoint; all else (Adam, kimg, means) starts anew.

    The run's patients become those of both: a classifier must not be tested on either. To continue
    a run that began like this, do the same again and then `checkpoint.restore`.

    Args:
        run: Of StyleGAN2, before its first step.
        folder: The checkpoint; its class and images may be others, its networks must be the same.
        freeze_layers: How many residual blocks of the discriminator, those nearest the image, keep
            their weights. Source: FreezeD, Mo et al. 2020 (arXiv:2002.10964).

    Raises:
        ConfigError: either GAN is no StyleGAN2, their networks differ, or there are not so many
            blocks.
        StorageError: a file is missing or corrupt.
    """
    assert run.images_shown == 0, run.images_shown
    if not isinstance(run, StyleGan2Run):
        raise ConfigError("a PGGAN grows from 4 px and cannot start from another's weights")
    blocks = len(run.discriminator.blocks)
    if not 0 <= freeze_layers <= blocks:
        raise ConfigError(f"freeze_layers must be 0 to {blocks}, got {freeze_layers}")
    model = read_model(folder)
    _refuse_other_networks(read_settings(model), run.settings, folder)
    weights = read_weights(folder)
    for name, network in networks(run).items():
        weights.fill(network, name)
    run.patients = tuple(sorted({*run.patients, *model["patients"]}))
    run.initialised_from = weights.hash
    run.freeze_layers = freeze_layers
    run.discriminator.freeze(freeze_layers)
    run.start_optimizers()


def _refuse_other_networks(source: object, settings: StyleGan2Settings, folder: str) -> None:
    if not isinstance(source, StyleGan2Settings):
        raise ConfigError(f"{folder}: holds no StyleGAN2; only one of these can be started from")
    old, new = settings_dict(source), settings_dict(settings)
    changed = differences({k: old[k] for k in NETWORK}, {k: new[k] for k in NETWORK})
    if changed:
        raise ConfigError(
            f"{folder}: its networks are not those of this run ({'; '.join(changed)}); "
            "give its settings, or train without it"
        )

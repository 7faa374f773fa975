"""Start a training from the weights of another one, on other images: transfer."""

from idhray.errors import ConfigError
from idhray.gan.architectures import architecture_of
from idhray.gan.checkpoint import read_model, read_settings
from idhray.gan.run import Run
from idhray.gan.weights import TransferSource, read_weights


def init_from(
    run: Run, folder: str, freeze_layers: int = 0, *, adapt_channels: bool = False
) -> None:
    """Give a new run the networks of a checkpoint; all else (Adam, kimg, means) starts anew.

    The run's patients become those of both: a classifier must not be tested on either. To continue
    a run that began like this, do the same again and then `checkpoint.restore`.

    Args:
        run: Run before its first step.
        folder: Checkpoint of the same architecture. Class and images may differ, networks may not.
        freeze_layers: Blocks of the discriminator, those nearest the image, that keep their
            weights.
        adapt_channels: Take a checkpoint of another number of channels, with its first and last
            layers changed to fit.

    Raises:
        ConfigError: the architecture cannot do this, the checkpoint is of another one, the networks
            differ, or there are fewer blocks.
        StorageError: a file is missing or corrupt.
    """
    assert run.images_shown == 0, run.images_shown
    architecture = architecture_of(run.settings)
    if architecture.transfer is None:
        raise ConfigError(f"a {architecture.title} cannot start from the weights of another GAN")
    model = read_model(folder)
    settings = read_settings(model)
    if not isinstance(settings, architecture.settings):
        raise ConfigError(
            f"{folder}: holds no {architecture.title}; a {architecture.title} can start only from "
            "another one"
        )
    source = TransferSource(
        folder=folder, model=model, settings=settings, weights=read_weights(folder)
    )
    architecture.transfer(run, source, freeze_layers, adapt_channels=adapt_channels)
    run.patients = tuple(sorted({*run.patients, *model["patients"]}))
    run.initialized_from = source.weights.hash
    run.freeze_layers = freeze_layers

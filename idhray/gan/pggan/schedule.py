"""Level and batch size of a growing PGGAN, as pure functions of the images shown."""

from idhray.gan.growth import Growth
from idhray.gan.pggan.config import PgganSettings


def growth_at(settings: PgganSettings, images_shown: int) -> Growth:
    """Growth after so many images.

    Training starts at 4 px. Each level is stabilized, then the next one is faded in. The last
    level stays.

    Source: Karras et al. 2018 (arXiv:1710.10196), appendix A.1; train.py:103-116 of its code.
    """
    stabilize = round(settings.stabilise_kimg * 1000)
    fade = round(settings.fade_kimg * 1000)
    level, since = divmod(images_shown, stabilize + fade)
    last = settings.levels - 1
    if level >= last:
        return Growth(last)
    if since <= stabilize:
        return Growth(level)
    return Growth(level + 1, (since - stabilize) / fade)


def batch_size_at(settings: PgganSettings, images_shown: int) -> int:
    """Images of the next step, over all workers: each level has its own batch size."""
    return settings.batch_sizes[growth_at(settings, images_shown).level]

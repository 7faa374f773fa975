"""Which level a growing GAN trains, as a pure function of the images shown."""

from dataclasses import dataclass

from idhray.gan.pggan.config import PgganSettings


@dataclass(frozen=True)
class Growth:
    """How far the networks have grown."""

    level: int
    """Images are 4 * 2^level px."""
    alpha: float
    """How far the level is faded in, above 0 and up to 1."""
    batch_size: int
    """Images per step, over all workers."""

    @property
    def fading(self) -> bool:
        """Whether the level below still has its say."""
        return self.alpha < 1


def growth_at(settings: PgganSettings, images_shown: int) -> Growth:
    """Start at 4 px, stabilize, fade in the next level, stabilize, ... and stay at the last.

    Source: Karras et al. 2018 (arXiv:1710.10196), appendix A.1; train.py:103-116 of its code.
    """
    stabilize = round(settings.stabilise_kimg * 1000)
    fade = round(settings.fade_kimg * 1000)
    level, since = divmod(images_shown, stabilize + fade)
    last = settings.levels - 1
    if level >= last:
        return Growth(last, 1.0, settings.batch_sizes[last])
    if since <= stabilize:
        return Growth(level, 1.0, settings.batch_sizes[level])
    return Growth(level + 1, (since - stabilize) / fade, settings.batch_sizes[level + 1])

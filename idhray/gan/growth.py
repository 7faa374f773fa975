"""Resolution that a generator has reached: some architectures grow while they train."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Growth:
    """Level of the networks. Images of a level are 4 * 2^level px."""

    level: int
    alpha: float = 1.0
    """Weight of the level against the one below, above 0 and up to 1."""

    @property
    def fading(self) -> bool:
        """True while the level below still contributes."""
        return self.alpha < 1


def full_growth(resolution_px: int) -> Growth:
    """Growth of networks that have had their full resolution from the start."""
    return Growth(resolution_px.bit_length() - 3)

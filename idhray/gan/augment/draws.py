"""Random numbers of augmentation, drawn for the global batch and independent of p.

A transform is applied to an image if its gate, a uniform number, is below the probability p. So p
is compared with the draws and does not influence them: it may change on the device at any time, and
any number of workers makes the same images from the same draws.
"""

from typing import NamedTuple

import torch
from torch import Tensor

TRANSFORMS = (
    "x_flip", "quarter_turns", "integer_shift", "scale", "rotation", "anisotropy",
    "second_rotation", "fractional_shift", "brightness", "contrast", "luma_flip", "hue",
    "saturation",
)  # fmt: skip
UNIFORM = (
    "x_flip", "quarter_turns", "shift_x", "shift_y", "rotation", "second_rotation", "luma_flip",
    "hue", "saturation", "cutout_x", "cutout_y",
)  # fmt: skip
NORMAL = ("scale", "anisotropy", "shift_x", "shift_y", "saturation")


class AugmentDraws(NamedTuple):
    """Numbers for N images of C channels, float32, in one layout for all modes and switches."""

    gates: Tensor
    """(N, 13) in 0..1, in the order of `TRANSFORMS`."""
    uniform: Tensor
    """(N, 11) in 0..1, in the order of `UNIFORM`."""
    normal: Tensor
    """(N, 5), in the order of `NORMAL`."""
    brightness: Tensor
    """(2, N, C): uniform in 0..1, then normal."""
    contrast: Tensor
    """(2, N, C): the same."""

    def share(self, part: slice) -> "AugmentDraws":
        """Numbers for some of the images."""
        per_image = (self.gates[part], self.uniform[part], self.normal[part])
        return AugmentDraws(*per_image, self.brightness[:, part], self.contrast[:, part])

    def to(self, device: torch.device) -> "AugmentDraws":
        """The same numbers on a device, in one copy that does not wait for the device."""
        if device.type != "cuda" or self.gates.is_cuda:
            return AugmentDraws(*(numbers.to(device) for numbers in self))
        packed = torch.cat([numbers.flatten() for numbers in self]).pin_memory()
        return self.unpacked(packed.to(device, non_blocking=True))

    def unpacked(self, packed: Tensor) -> "AugmentDraws":
        """Numbers in these shapes from one row that holds them one after the other."""
        parts = packed.split([numbers.numel() for numbers in self])
        return AugmentDraws(*(p.view(n.shape) for p, n in zip(parts, self, strict=True)))

    def applied(self, transform: str, p: Tensor) -> Tensor:
        """(N,) bool: images that get the transform if its probability is `p`, ()."""
        return self.gates[:, TRANSFORMS.index(transform)] < p

    def u(self, name: str) -> Tensor:
        """(N,) uniform in 0..1."""
        return self.uniform[:, UNIFORM.index(name)]

    def z(self, name: str) -> Tensor:
        """(N,) normal."""
        return self.normal[:, NORMAL.index(name)]


def augment_draws(size: int, channels: int, chance: torch.Generator) -> AugmentDraws:
    """Numbers for `size` images, on the device of `chance`."""
    device = chance.device

    def both() -> Tensor:
        uniform = torch.rand(size, channels, generator=chance, device=device)
        normal = torch.randn(size, channels, generator=chance, device=device)
        return torch.stack([uniform, normal])

    return AugmentDraws(
        gates=torch.rand(size, len(TRANSFORMS), generator=chance, device=device),
        uniform=torch.rand(size, len(UNIFORM), generator=chance, device=device),
        normal=torch.randn(size, len(NORMAL), generator=chance, device=device),
        brightness=both(),
        contrast=both(),
    )

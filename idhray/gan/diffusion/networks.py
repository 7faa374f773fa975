"""Network of a diffusion model, and the way from noise to an image.

At time t from 0 to 1 an image is (1 - t) * image + t * noise. The network estimates the velocity
noise - image from it; following the velocity from t = 1 to t = 0 turns noise into an image.

Shapes: N images, C channels, S side.
Source: Liu et al. 2022 (arXiv:2209.03003).
"""

import importlib
from types import ModuleType

import torch
from torch import Tensor, nn

from idhray.errors import ConfigError
from idhray.gan.config import CLASS_COUNT
from idhray.gan.diffusion.config import NORM_GROUPS, DiffusionSettings
from idhray.gan.growth import Growth
from idhray.torchvision_import import import_torchvision

TIME_SCALE = 1000.0
"""Times of the network's embedding, 0 to 1000; those of diffusers."""


def import_diffusers() -> ModuleType:
    """The module diffusers, an optional extra.

    Raises:
        ConfigError: it is not installed.
    """
    import_torchvision()
    try:
        return importlib.import_module("diffusers")
    except ImportError:
        raise ConfigError(
            "a diffusion model needs the package diffusers: pip install 'idhray[diffusion]'"
        ) from None


class DiffusionNetwork(nn.Module):
    """U-Net that estimates the velocity of images at a time."""

    def __init__(self, settings: DiffusionSettings) -> None:
        super().__init__()
        self.shape = (settings.channels, settings.resolution_px, settings.resolution_px)
        self.sampling_steps = settings.sampling_steps
        attends = [side == settings.attention_px for side in settings.sides_px]
        widths = tuple(settings.width * factor for factor in settings.width_factors)
        self.unet = import_diffusers().UNet2DModel(
            sample_size=settings.resolution_px,
            in_channels=settings.channels,
            out_channels=settings.channels,
            layers_per_block=settings.blocks,
            block_out_channels=widths,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in attends[::-1]),
            attention_head_dim=min(64, widths[-1]),
            norm_num_groups=NORM_GROUPS,
            num_class_embeds=CLASS_COUNT if settings.conditional else None,
        )

    def forward(
        self, images: Tensor, times: Tensor, dtype: torch.dtype, labels: Tensor | None = None
    ) -> Tensor:
        """(N, C, S, S) float32 velocities of images at their (N,) times.

        Args:
            images: (N, C, S, S) images with noise.
            times: (N,) their times.
            dtype: Type of convolutions and products; norms and the result are float32.
            labels: (N,) int64 classes of a conditional network.
        """
        with torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32):
            velocity: Tensor = self.unet(
                images, times * TIME_SCALE, class_labels=labels, return_dict=False
            )[0]
        return velocity.float()


def diffusion_images(
    network: DiffusionNetwork,
    latents: Tensor,
    noise: Tensor | None,
    growth: Growth,
    dtype: torch.dtype,
    *,
    label: int | None = None,
) -> Tensor:
    """(N, C, S, S) images of -1..1 from (N, C * S * S) latents, by Heun's method.

    Args:
        network: Averaged network.
        latents: Noise that the images are made from.
        noise: None; there is no other.
        growth: Always full.
        dtype: Type of convolutions and products.
        label: Class of the images of a conditional network.
    """
    assert noise is None
    scheduler = import_diffusers().FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(network.sampling_steps)  # on the CPU, so that no GPU is waited for
    scheduler.set_begin_index(0)
    images: Tensor = latents.unflatten(1, network.shape)
    labels = None
    if label is not None:
        labels = torch.full((len(images),), label, device=images.device)
    for timestep in scheduler.timesteps:
        times = torch.full((len(images),), timestep.item() / TIME_SCALE, device=images.device)
        velocity = network(images, times, dtype, labels)
        images = scheduler.step(velocity, timestep, images, return_dict=False)[0]
    return images

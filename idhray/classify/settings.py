"""Settings of one classifier, with those of the published one as a preset."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError

InputChannels = Literal["gray", "rgb", "two-channel"]
CHANNELS: dict[InputChannels, int] = {"gray": 1, "rgb": 3, "two-channel": 2}
"""Channels of a prepared image."""


CHOICES = {
    "channels": tuple(CHANNELS),
    "online": ("none", "classical"),
    "patient_weights": ("equal", "images"),
    "select_by": ("val_loss", "last_epoch"),
    "optimizer": ("adam", "adamw"),
    "rate_schedule": ("decay", "cosine"),
    "precision": ("float32", "bf16"),
}
"""Values of the settings that are words."""
LIMITS: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (("image_px", "clahe_tiles", "epochs"), lambda value: value >= 1, "1 or more"),
    (("batch_size",), lambda value: value >= 2, "2 or more"),  # of one image is no variance
    (("width", "gamma", "learning_rate"), lambda value: value > 0, "above 0"),
    (("dropout", "beta1", "beta2"), lambda value: 0 <= value < 1, "in [0, 1)"),
    (("clahe_clip_limit",), lambda value: 0 <= value <= 1, "in [0, 1]"),
    (("lr_decay", "weight_decay"), lambda value: value >= 0, "0 or more"),
)
"""Limits of the settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """Settings that decide the result of a training, apart from images and seed."""

    backbone: str = "resnet50.tv_in1k"
    """Name of the network in timm, such as resnet50, vgg19, inception_v3, inception_resnet_v2."""
    width: float = 1.0
    """Channels of the residual stages, as a fraction of the published ones; ResNets only."""
    weights: str = "imagenet"
    """Start of training: imagenet (downloaded by name), random, or a .safetensors or .pth file."""
    channels: InputChannels = "gray"
    """Input of the network: gray, rgb, or two-channel (CE-T1w and FLAIR of a SLICES table)."""
    image_px: int = 256
    """Side length that images are resized to."""
    clahe_clip_limit: float = 0.01
    """Contrast limit of the adaptive histogram equalization of gray images, 0..1."""
    clahe_tiles: int = 8
    """Regions per side of the adaptive histogram equalization."""
    gamma: float = 1.0
    """Exponent on pixels in 0..1; values above 1 darken."""
    dihedral: bool = False
    """Rotate training images by quarter turns and mirror them, at random."""
    online: Literal["none", "classical"] = "none"
    """Augmentation of every training image at every step: none, or classical (turns and mirror
    images, jitter of the stain of RGB images, jitter of the intensity of all others)."""
    patient_weights: Literal["equal", "images"] = "images"
    """Draw of real training images. images: each image as often, so that a patient with many
    slices weighs more. equal: each patient as often."""
    dropout: float = 0.5
    """Fraction of features dropped before the last layer."""
    batch_size: int = 16
    """Images per step, summed over all workers."""
    epochs: int = 100
    learning_rate: float = 1e-5
    lr_decay: float = 1e-6
    """Keras's time-based decay: the rate of step `t` is learning_rate / (1 + lr_decay * t)."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """adam: without weight decay. adamw: with decoupled weight decay, in one fused kernel."""
    weight_decay: float = 0.05
    """Weight decay of adamw; not of biases and normalizations."""
    rate_schedule: Literal["decay", "cosine"] = "decay"
    """Learning rate. decay: see lr_decay. cosine: linear rise over the first twentieth of all
    steps, then half a cosine down to 0."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16: convolutions and matrix products in bfloat16, in training and prediction; results
    differ by rounding. Fast on GPUs and on CPUs with AMX; slower on other CPUs."""
    channels_last: bool = False
    """Store images with their channels last, which is the fast order of most processors. Results
    differ by rounding."""
    beta1: float = 0.9
    beta2: float = 0.999
    select_by: Literal["val_loss", "last_epoch"] = "val_loss"
    """Selected epoch: the one with the least validation log loss per patient, or the last."""

    def __post_init__(self) -> None:
        for names, fits, text in LIMITS:
            for name in names:
                if not fits(getattr(self, name)):
                    raise ConfigError(f"{name} must be {text}, got {getattr(self, name)}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"{name} must be {' or '.join(choices)}, got {getattr(self, name)!r}"
                )


PRESETS = {
    # Source: Liu et al. 2020, Methods, "ResNet50 for image classification": ResNet50, ImageNet
    # weights, dropout before the softmax layer, Adam, batch size 16, learning rate 1e-5, decay
    # rate 1e-6, momentum 0.9, 100 epochs. "GAN for data augmentation": 256 px. "Image
    # pre-processing": gray, adaptive histogram equalization, gamma adjustment. Not reported there,
    # so ours: the dropout rate, beta2 (Keras's default), clip limit and regions (scikit-image's
    # defaults), gamma (1, which changes nothing), no dihedral augmentation, and the selected epoch.
    # tv_in1k are the ImageNet weights of torchvision, whose recipe is nearest to Keras's.
    "liu2020": ClassifierSettings(),
    # Ours: a recipe of today on color images. tv2_in1k are torchvision's second ImageNet weights.
    "modern": ClassifierSettings(
        backbone="resnet50.tv2_in1k",
        channels="rgb",
        online="classical",
        patient_weights="equal",
        dropout=0.2,
        batch_size=64,
        epochs=20,
        learning_rate=3e-4,
        optimizer="adamw",
        rate_schedule="cosine",
        precision="bf16",
        channels_last=True,
    ),
    # Ours: ResNet50's 50 layers at an eighth of the width, for seconds on two CPU cores.
    "demo": ClassifierSettings(
        backbone="resnet50",
        width=0.125,
        weights="random",
        image_px=64,
        clahe_tiles=2,
        dropout=0.2,
        batch_size=32,
        epochs=4,
        learning_rate=1e-3,
    ),
}

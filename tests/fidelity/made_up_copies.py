"""Made-up patients whose images are smooth random fields, three neighboring slices each."""

import numpy as np
import torch
from scipy import ndimage

from idhray.fidelity.copies.search import EmbeddedImages


def smooth(count, side=32, channels=2, seed=0):
    """(count, side, side, channels) uint8: independent fields of one process."""
    noise = np.random.default_rng(seed).normal(size=(count, side, side, channels))
    fields = ndimage.gaussian_filter(noise, (0, 2, 2, 0), mode="wrap")
    fields /= fields.std((1, 2, 3), keepdims=True)
    return np.clip(128 + 40 * fields, 0, 255).astype(np.uint8)


def features(images):
    """(count, 128) float64: averages of pixels."""
    x = torch.tensor(images).permute(0, 3, 1, 2).double()
    return torch.nn.functional.adaptive_avg_pool2d(x, 8).flatten(1)


def patients_set(count, name, seed, side=32):
    """`count` patients; their three images differ by a little noise."""
    fields = smooth(count, side, seed=seed).repeat(3, axis=0).astype(float)
    fields += np.random.default_rng(seed).normal(0, 5, fields.shape)
    images = np.clip(fields, 0, 255).astype(np.uint8)
    return EmbeddedImages(images, features(images), [f"{name}{k // 3}" for k in range(len(images))])


def generated(images):
    """Images of a generator, with features."""
    return EmbeddedImages(images, features(images))


def changed(images, how):
    """What a copying generator may do to training images."""
    if how == "shifted":
        return np.roll(images, (1, -2), axis=(1, 2))
    if how == "mirrored":
        return np.ascontiguousarray(images[:, :, ::-1])
    if how == "turned":
        return np.ascontiguousarray(np.rot90(images, axes=(1, 2)))
    if how == "brightened":
        return np.clip(images * 0.8 + 30, 0, 255).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 6, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)

"""Settings of each classifier of an experiment, apart from those of the others.

The result of a trained network depends on the settings of the network only, that of a frozen
encoder on the encoder and on the preparation of the images. So a classifier may join later.
"""

from collections.abc import Mapping
from typing import Any

PREPARATION = ("channels", "image_px", "clahe_clip_limit", "clahe_tiles", "gamma")
"""Settings of the network that decide the pixels of a prepared image."""
ENCODER = "encoder"


def kinds_of(classifier: Mapping[str, Any]) -> tuple[str, ...]:
    """Classifiers among the decisive values of a protocol; the first one gives the verdict."""
    return tuple(classifier.get("kinds", ("network",)))


def values_of_kind(
    classifier: Mapping[str, Any], kind: str, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings that decide the results of one classifier, from those of all.

    Args:
        classifier: Decisive values of all classifiers: `kinds`, the settings of the network if it
            is among them, and `encoder` if the frozen encoder is.
        kind: network or frozen.
        defaults: Defaults of the settings of the network.
    """
    if kind == "frozen":
        prepared = {
            name: classifier[name]
            for name in PREPARATION
            if name in classifier and classifier[name] != defaults.get(name)
        }
        return {**prepared, ENCODER: classifier[ENCODER]}
    return {name: value for name, value in classifier.items() if name not in ("kinds", ENCODER)}

"""Settings of each classifier of an experiment, apart from those of the others.

The result of a trained network depends on the settings of the network only, that of a frozen
encoder on the encoder and on the preparation of the images. So a classifier may join later.
"""

from collections.abc import Mapping
from typing import Any

PREPARATION = ("channels", "image_px", "clahe_clip_limit", "clahe_tiles", "gamma")
"""Settings of the network that decide the pixels of a prepared image."""
ENCODER, ENCODER_SHA256 = "encoder", "encoder_sha256"
FEATURES = "features"
"""Values that decide the features of FEATURES tables, if the experiment uses such tables."""
MIL = "mil"
"""Settings of the attention pooling."""
PROBE = "probe"
"""Settings of the logistic regressions, if they are not the defaults."""
TUNED = "tuned"
"""Settings of each fold that a search found, with the classifier that they are of."""
OF_FEATURES = (ENCODER, ENCODER_SHA256, FEATURES)
HEADS = {"abmil": (MIL,), "frozen": (PROBE,), "mean-pool": (PROBE,)}


def kinds_of(classifier: Mapping[str, Any]) -> tuple[str, ...]:
    """Classifiers among the decisive values of a protocol; the first one gives the verdict."""
    return tuple(classifier.get("kinds", ("network",)))


def values_of_kind(
    classifier: Mapping[str, Any], kind: str, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings that decide the results of one classifier, from those of all.

    Args:
        classifier: Decisive values of all classifiers: `kinds`, the settings of the network if it
            is among them, and `encoder` if a classifier on features is.
        kind: network, or a classifier on features.
        defaults: Defaults of the settings of the network.
    """
    tuned = classifier.get(TUNED, {})
    of_search = {TUNED: tuned} if tuned.get("classifier") == kind else {}
    if kind == "network":
        others = ("kinds", *OF_FEATURES, MIL, PROBE, TUNED)
        of_network = {name: value for name, value in classifier.items() if name not in others}
        return {**of_network, **of_search}
    prepared = {
        name: classifier[name]
        for name in PREPARATION
        if name in classifier and classifier[name] != defaults.get(name)
    }
    names = (*OF_FEATURES, *HEADS[kind])
    of_features = {name: classifier[name] for name in names if name in classifier} | of_search
    return of_features if FEATURES in classifier else {**prepared, **of_features}


def model_name(kind: str, classifier: Mapping[str, Any]) -> str:
    """Name of a classifier in the column `model`.

    Args:
        kind: network, or a classifier on features.
        classifier: Decisive values of all classifiers.
    """
    if kind == "network":
        return str(classifier["backbone"])
    return head_name(kind, str(classifier[ENCODER]))


def head_name(kind: str, encoder: str) -> str:
    """Name of a classifier on features in the column `model`; a linear probe is its encoder."""
    return encoder if kind == "frozen" else f"{encoder} {kind}"


def encoder_of(model: str) -> str:
    """Encoder of a classifier on features, from its name in the column `model`."""
    return model.partition(" ")[0]

"""Settings and presets of `idhray sweep`: the protocol and the classifiers of an experiment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro

from idhray.classify.attention import MilSettings
from idhray.classify.encoders import encoder_identity
from idhray.classify.frozen import ProbeSettings
from idhray.classify.settings import PRESETS as CLASSIFIER
from idhray.classify.settings import ClassifierSettings
from idhray.config import default_values, settings_dict
from idhray.errors import ConfigError
from idhray.experiment.classifiers import ENCODER, FEATURES, MIL, PREPARATION, PROBE, TUNED
from idhray.experiment.search_space import with_values
from idhray.experiment.settings import PRESETS as PROTOCOL
from idhray.experiment.settings import ProtocolSettings
from idhray.experiment.trials import ON_FEATURES, ClassifierKind


@dataclass(frozen=True, kw_only=True)
class ExperimentSettings:
    """Settings of an experiment: protocol, network, and a frozen encoder."""

    protocol: Annotated[ProtocolSettings, tyro.conf.arg(name="")] = field(
        default_factory=ProtocolSettings
    )
    """Folds, repeats, arms and rules of the verdict."""
    classifier: Annotated[ClassifierSettings, tyro.conf.arg(name="")] = field(
        default_factory=ClassifierSettings
    )
    """Network, preprocessing and training."""
    classifiers: tuple[ClassifierKind, ...] = ("network",)
    """Classifiers that are trained on every arm; the first one gives the verdict. network: the
    trained network. On the features of a frozen encoder: frozen, the linear probe (logistic
    regression on images); mean-pool (logistic regression on each patient's mean); abmil (gated
    attention pooling over each patient's images)."""
    encoder: str = "efficientnet_lite0"
    """Frozen encoder: NAME:FILE, or NAME alone if a package holds its weights; see `idhray encode
    --help`."""
    mil: MilSettings = field(default_factory=MilSettings)
    """Attention pooling."""
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    """Logistic regressions on features."""
    tuned: Annotated[str, tyro.conf.Suppress] = ""
    """Settings of each fold from --settings, as JSON; empty without them."""
    features: Annotated[str, tyro.conf.Suppress] = ""
    """Values that decide the features of the tables of --features, as JSON; empty without them."""
    networks: tuple[str, ...] = ()
    """Further networks of timm, such as vgg19, inception_v3 and inception_resnet_v2. They are
    trained on the arm `real` alone with the settings of the backbone, and stand beside it in a
    table of classifiers (table 1 of Liu et al. 2020)."""

    def __post_init__(self) -> None:
        if not self.classifiers or len(set(self.classifiers)) < len(self.classifiers):
            raise ConfigError(f"classifiers: each once, at least one; got {self.classifiers}")
        names = (self.classifier.backbone, *self.networks)
        if len(set(names)) < len(names):
            raise ConfigError(f"networks: each once, without the backbone; got {', '.join(names)}")
        if self.networks and "network" not in self.classifiers:
            raise ConfigError("networks are trained only if --classifiers has `network`")

    def of_fold(self, fold: int, kind: str) -> "ExperimentSettings":
        """Settings of a classifier, with those that a search found for a fold."""
        tuned = json.loads(self.tuned) if self.tuned else {}
        if tuned.get("classifier") != kind:
            return self
        return changed_settings(self, tuned["classifier"], tuned["folds"][str(fold)])

    def defaults(self) -> dict[str, Any]:
        """Defaults of the decisive values of the protocol."""
        protocol = default_values(ProtocolSettings)
        classifier = {**default_values(ClassifierSettings), MIL: default_values(MilSettings)}
        return {**protocol, "classifier": classifier}

    def decisive(self) -> dict[str, Any]:
        """Values of the classifiers that decide their results."""
        values: dict[str, Any] = {"kinds": list(self.classifiers)}
        defaults, classifier = default_values(ClassifierSettings), settings_dict(self.classifier)
        if "network" in self.classifiers:
            values |= classifier
        elif not self.features:  # the frozen encoder sees the same prepared images
            values |= {
                name: classifier[name] for name in PREPARATION if classifier[name] != defaults[name]
            }
        if self.on_features and self.features:
            recorded = json.loads(self.features)
            values |= {ENCODER: recorded[ENCODER], FEATURES: recorded}
        elif self.on_features:
            values |= encoder_identity(self.encoder)
        if "abmil" in self.classifiers:
            values[MIL] = settings_dict(self.mil)
        if self.probe != ProbeSettings():
            values[PROBE] = settings_dict(self.probe)
        if self.tuned:
            values[TUNED] = json.loads(self.tuned)
        return values

    @property
    def on_features(self) -> bool:
        """True if a classifier works on the features of a frozen encoder."""
        return bool(set(self.classifiers) & set(ON_FEATURES))


PART_OF_KIND = {"network": "classifier", "frozen": "probe", "mean-pool": "probe", "abmil": "mil"}
"""Classifier -> field of `ExperimentSettings` that holds its settings."""


def changed_settings(
    settings: ExperimentSettings, kind: str, values: Mapping[str, Any]
) -> ExperimentSettings:
    """Settings with some settings of one classifier changed.

    Args:
        settings: Settings of an experiment.
        kind: Classifier.
        values: Setting -> value.
    """
    part = PART_OF_KIND[kind]
    return with_values(settings, {part: with_values(getattr(settings, part), values)})


PRESETS = {
    # Patients have equal shares of the training, however many slices they have; of the papers'
    # designs, `images` is part.
    "controlled": ExperimentSettings(classifier=ClassifierSettings(patient_weights="equal")),
    "liu2020": ExperimentSettings(protocol=PROTOCOL["liu2020"], classifier=CLASSIFIER["liu2020"]),
    # Source: Liu et al. 2020, table 1 compares these four networks.
    "liu2020-table1": ExperimentSettings(
        protocol=PROTOCOL["liu2020-table1"],
        classifier=CLASSIFIER["liu2020"],
        networks=("vgg19", "inception_v3", "inception_resnet_v2"),
    ),
    # Every arm is augmented online, so there are no arms that are it beside others.
    "modern": ExperimentSettings(
        protocol=ProtocolSettings(online_arms=False), classifier=CLASSIFIER["modern"]
    ),
    "demo": ExperimentSettings(protocol=PROTOCOL["demo"], classifier=CLASSIFIER["demo"]),
}

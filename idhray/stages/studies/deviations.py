"""Deviations of the presets from the papers, from the values that the presets have."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from idhray.config import recorded_settings
from idhray.gan.architectures import architecture_of
from idhray.report.content import ReportTable
from idhray.stages.studies.settings import PRESETS, MriStudySettings, StudySettings

HEADER = ("Setting", "Paper", "Here", "Reason")


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A setting that is not, or cannot be known to be, that of the paper."""

    setting: str
    paper: str
    ours: str
    reason: str


def liu_deviations(settings: StudySettings) -> tuple[Deviation, ...]:
    """Deviations from Liu et al. 2020 of a slide study with the paper's networks.

    Source: Liu et al. 2020, Methods; Keras 2 documentation for the values that TensorFlow's
    ResNet50 has by default.
    """
    return (
        *_liu_images(settings),
        *_other_generators(settings),
        *_patient_weights(settings),
        *_liu_classifier(settings),
        *_liu_design(settings),
    )


def _other_generators(settings: StudySettings) -> tuple[Deviation, ...]:
    """The generators, where they are not the paper's."""
    if settings.generator == "pggan":
        return ()
    title = architecture_of(settings.generator_settings).title
    networks = "one network of both classes" if settings.one_network else "one of each class"
    return (
        Deviation(
            setting="Generators",
            paper="PGGAN, one of each class",
            ours=f"{title}, {networks}",
            reason="The question is asked of another generator.",
        ),
    )


def _patient_weights(settings: StudySettings) -> tuple[Deviation, ...]:
    """The draw of real images, where patients are weighed."""
    weights = {
        "generators": settings.generator_settings.patient_weights,
        "classifier": settings.classifier.patient_weights,
    }
    equal = [name for name, weight in weights.items() if weight == "equal"]
    if not equal:
        return ()
    return (
        Deviation(
            setting="Draw of real images in training",
            paper="each image as often",
            ours=f"each patient as often ({' and '.join(equal)})",
            reason="A patient with many images does not weigh more.",
        ),
    )


def _liu_images(settings: StudySettings) -> tuple[Deviation, ...]:
    patches = settings.patches
    return (
        Deviation(
            setting="Choice of training patches",
            paper="12,000 of each class, at random from its tiles",
            ours=f"{patches.train_per_class:,} of each class, as many from each of its patients",
            reason="No patient dominates a class. A local patient with one tile gives about 120 "
            "overlapping patches, in the paper about 6.",
        ),
        Deviation(
            setting="Places of patches in a tile",
            paper="not stated",
            ours=f"a lattice of {patches.stride_px} px; a patch has "
            f"{patches.min_tissue_fraction:.0%} tissue or more",
            reason="Any number of workers cuts the same patches.",
        ),
        Deviation(
            setting="Patches that score a held-out patient",
            paper="not stated",
            ours=f"{patches.eval_per_patient} at most",
            reason="Enough for a stable mean.",
        ),
        Deviation(
            setting="Colors of the classifier's patches",
            paper="histogram normalization is stated for the GANs' patches only",
            ours=f"the same patches ({patches.normalize}), then gray",
            reason="Real and synthetic images pass the same steps.",
        ),
    )


def _liu_classifier(settings: StudySettings) -> tuple[Deviation, ...]:
    classifier = settings.classifier
    epoch = {
        "val_loss": "the epoch with the least validation log loss per patient",
        "last_epoch": "the last epoch",
    }[classifier.select_by]
    return (
        Deviation(
            setting="ResNet50",
            paper="TensorFlow's: version 1, Keras's ImageNet weights, pixels less the mean colors "
            "of caffe, momentum .99 of batch normalization",
            ours=f"timm's {classifier.backbone}: version 1.5, torchvision's weights, means and "
            "standard deviations, momentum .9 (0.1 in PyTorch's terms)",
            reason="Of the weights for PyTorch these have the recipe that is nearest to Keras's.",
        ),
        Deviation(
            setting="Epoch",
            paper='the model "after the model was fully trained"',
            ours=f"{epoch}, of {classifier.epochs}",
            reason="The paper used the validation set in each epoch, but states no rule.",
        ),
        Deviation(
            setting="Gamma adjustment",
            paper="applied; value not stated",
            ours=f"{classifier.gamma:g}" + (", no change" if classifier.gamma == 1 else ""),
            reason="Any other value would be a guess.",
        ),
        Deviation(
            setting="Adaptive histogram equalization",
            paper="applied; values not stated",
            ours=f"clip limit {classifier.clahe_clip_limit:g}, {classifier.clahe_tiles} x "
            f"{classifier.clahe_tiles} regions",
            reason="Defaults of scikit-image.",
        ),
        Deviation(
            setting="Dropout before the last layer, Adam's beta2",
            paper="not stated",
            ours=f"{classifier.dropout:g} and {classifier.beta2:g}",
            reason="The usual rate, and Keras's default.",
        ),
    )


def _liu_design(settings: StudySettings) -> tuple[Deviation, ...]:
    protocol = settings.protocol
    return (
        Deviation(
            setting="Folds and repeats",
            paper="one split of 198, 34 and 34 patients, one training of each count",
            ours=f"{_number(protocol.fold_count, 'fold')}, "
            f"{_number(protocol.repeats, 'training')} of each arm",
            reason="One training cannot tell a gain from luck.",
        ),
        Deviation(
            setting="Controls",
            paper="none",
            ours=", ".join(protocol.controls) or "none",
            reason="More images change class weights and training steps as well.",
        ),
        Deviation(
            setting="Optimizer steps",
            paper="more with more images: an epoch shows all of them",
            ours={
                "epochs": "as in the paper; the controls take as many as their synthetic arm",
                "equal steps": "the same in every arm",
            }[protocol.budget],
            reason="Arms should differ in their images only.",
        ),
        Deviation(
            setting="Count that is judged",
            paper="the best of five on validation and test",
            ours={
                "validation": "the best on validation, judged on "
                f"{_number(protocol.fresh_repeats, 'fresh training')}",
                "fixed": "fixed before the first training",
            }[protocol.selection],
            reason="The best of several trainings is partly a lucky one.",
        ),
        Deviation(
            setting="Tables 3 and 4",
            paper="the probabilities of one training",
            ours="each patient's mean over the repeats",
            reason="The fusion with age is about patients, not about trainings.",
        ),
    )


def park_deviations(settings: MriStudySettings) -> tuple[Deviation, ...]:
    """Deviations from Park et al. 2021 of a reader study with the paper's network.

    Source: Park et al. 2021, Methods.
    """
    return (*_park_images(settings), *_park_readers(settings))


def _park_images(settings: MriStudySettings) -> tuple[Deviation, ...]:
    brain, slices = settings.mri.brain, settings.mri.slices
    return (
        Deviation(
            setting="Split",
            paper="by date: 118 patients until January 2019, 44 after",
            ours="6:1:1 by chance within classes, unless the manifest has a split",
            reason="Public cohorts have no dates. A split by date can be given.",
        ),
        Deviation(
            setting="Patients of the GAN",
            paper="110 IDH-mutant astrocytomas; the numbers suggest all mutants of the validation "
            "set among them",
            ours="training patients only",
            reason="A generator that saw a patient passes on what it saw.",
        ),
        Deviation(
            setting="Skull stripping",
            paper="HD-BET; version and mode not stated",
            ours=f"{brain.method}, unless the manifest has a mask"
            + (", version 1 with its defaults" if brain.method == "hdbet" else ""),
            reason="The paper appeared with version 1.",
        ),
        Deviation(
            setting="Registration",
            paper="SPM12, rigid; options not stated",
            ours="the same criterion (normalized mutual information) at "
            f"{' and '.join(f'{step:g}' for step in slices.registration_steps_mm)} mm, resampled "
            f"by {slices.interpolation} interpolation",
            reason="SPM12 needs MATLAB. Its default is a spline of degree 4.",
        ),
        Deviation(
            setting="Slices",
            paper="19,595 of 110 patients; choice not stated",
            ours=f"all with {slices.min_brain_fraction:.0%} brain or more",
            reason="178 slices of 1 mm are more than a brain is high.",
        ),
        Deviation(
            setting="Pretraining on normal brains",
            paper="4 million images in all; share not stated",
            ours=f"{settings.pretraining.total_kimg / 1000:g} million, then "
            f"{settings.gan.total_kimg / 1000:g} million",
            reason="Both trainings run to their end.",
        ),
        Deviation(
            setting="Truncation of synthetic images",
            paper="not stated; the script of the official code has psi 0.5",
            ours=f"psi {settings.psi:g}" + (", none" if settings.psi == 1 else ""),
            reason="Truncation would narrow the variation that the paper examines.",
        ),
    )


def _park_readers(settings: MriStudySettings) -> tuple[Deviation, ...]:
    return (
        Deviation(
            setting="Images that readers see",
            paper="a radiologist chose a slice of each real and synthetic case",
            ours=f"the first {settings.synthetic} synthetic images, and of each patient the slice "
            "with the most tumor (without masks: with the most brain)",
            reason="A choice by hand cannot be repeated, and may favor either kind.",
        ),
        Deviation(
            setting="Visual Turing test",
            paper="two weeks before the readings of features",
            ours="in the same form as the features",
            reason="One form holds all questions; a second one can be read weeks apart.",
        ),
        Deviation(
            setting="Backward elimination",
            paper="stepwise; rule not stated",
            ours=f"whole features, rule {settings.statistics.elimination} at P "
            f"{settings.statistics.alpha:g}",
            reason="A level without its feature depends on the reference level.",
        ),
        Deviation(
            setting="Consensus",
            paper="on discordant categories",
            ours=settings.statistics.discordant,
            reason="As in the paper, unless set otherwise.",
        ),
        Deviation(
            setting="Difference between models",
            paper="areas and accuracies side by side, no test",
            ours="paired DeLong test, and a bootstrap of patients and training cases in which the "
            "features are chosen anew",
            reason="A gain needs an interval that covers the choice of the features.",
        ),
    )


def deviations_table(settings: StudySettings | MriStudySettings) -> list[ReportTable]:
    """The table of a study that has the paper's networks; empty for a study that has others."""
    if isinstance(settings, StudySettings):
        paper, published = "Liu et al. 2020", PRESETS["liu2020"]
        same = isinstance(published, StudySettings) and (
            settings.generator != "pggan" or _with_weights_of(settings.gan, published.gan),
            _with_weights_of(settings.classifier, published.classifier),
        ) == (settings.generator != "pggan" or published.gan, published.classifier)
        rows = liu_deviations(settings) if same else ()
    else:
        paper, published = "Park et al. 2021", PRESETS["park2021"]
        rows = park_deviations(settings) if settings.gan == published.gan else ()
    return [_table(paper, rows)] if rows else []


def _with_weights_of(settings: Any, published: Any) -> Any:
    """Settings with the published draw of patients, which has a row of its own in the table."""
    return replace(settings, patient_weights=published.patient_weights)


def recorded_deviations(settings: dict[str, Any]) -> list[ReportTable]:
    """The table of a study from its recorded settings; empty for studies of version 0.1.

    Args:
        settings: Content of the study's `_settings.json`.
    """
    if "protocol" in settings:
        return deviations_table(recorded_settings(StudySettings, settings))
    if settings.get("kind") == "mri":
        return deviations_table(recorded_settings(MriStudySettings, settings))
    return []


def deviations_page() -> str:
    """The deviations of both papers' presets as a page of the documentation (Markdown)."""
    lines = [
        "# Deviations of the presets from the papers",
        "",
        "Generated from the presets by `python -m tests.deviations_page`; do not edit.",
    ]
    for name in ("liu2020", "park2021"):
        for table in deviations_table(PRESETS[name]):
            lines += ["", f"## Preset `{name}`: {table.title.removeprefix('Deviations from ')}", ""]
            lines += [_line(table.header), _line(["---"] * len(table.header))]
            lines += [_line(row) for row in table.rows]
    return "\n".join(lines) + "\n"


def _table(paper: str, rows: Sequence[Deviation]) -> ReportTable:
    return ReportTable(
        title=f"Deviations from {paper}",
        header=list(HEADER),
        rows=[[row.setting, row.paper, row.ours, row.reason] for row in rows],
        caption="Settings of this study that differ from the paper, or that the paper does not "
        "state.",
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")

"""Settings of the experiment: what is fixed in the protocol before the first training."""

from dataclasses import dataclass
from typing import Literal, get_args

from idhray.cohorts.folds import FoldUnit
from idhray.errors import ConfigError
from idhray.experiment.arms import REAL, Arm, ControlKind

Budget = Literal["equal steps", "epochs"]
GeneratorScope = Literal["per fold and repeat", "per fold", "one"]
KeepModels = Literal["real,primary", "all", "none"]
"""Trainings of an experiment whose models are kept."""


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings:
    """Folds, repeats, arms, margin and selection; fixed before the first training."""

    fold_count: int = 5
    """Folds over patients: each patient is tested once in every repeat. 1: train, val and test as
    in the `split` of the images."""
    repeats: int = 5
    """Trainings of each arm in each fold, each with its own seeds."""
    fold_by: FoldUnit = "patient"
    """Unit of the folds. site: the patients of a site stay together."""
    counts: tuple[int, ...] = ()
    """Numbers of synthetic images to add, half of them for each class."""
    ratios: tuple[float, ...] = (0.5,)
    """The same as fractions of the real training images of the smallest fold, rounded to an even
    number; used if `counts` is empty. Without both, the arm `real` alone is trained: baselines, and
    no comparison of arms."""
    primary_count: int | None = None
    """Count of the primary comparison with the arm `real`. Default: the only one; several counts
    need one, or selection validation."""
    controls: tuple[ControlKind, ...] = ("duplicate", "more-real", "classic", "shuffled")
    """Control arms that add as many images. duplicate: training images once more; more-real:
    further real images of the training patients; classic: training images turned, mirrored and
    jittered; shuffled: synthetic images with permuted labels. Without duplicate and more-real the
    verdict is never `helps`."""
    controls_at: Literal["primary", "all"] = "primary"
    """Counts at which the controls are trained."""
    online_arms: bool = True
    """Train baseline and primary arm also with random turns and jitter of every image shown."""
    fewer_patients: tuple[float, ...] = ()
    """Shares of the training patients, such as 0.5, on which the arm `real` is trained as well."""
    train_per_class: int | None = None
    """Real training images of each class, taken by rank. Default: `train_per_class` of the patches;
    all images of another table."""
    eval_per_patient: int | None = None
    """Images by which a held-out patient is scored. Default: `eval_per_patient` of the patches; all
    images of another table."""
    margin: float = 0.02
    """Difference in AUC that is too small to matter: margin of the equivalence test."""
    budget: Budget = "equal steps"
    """equal steps: every arm takes as many optimizer steps as `real`. epochs: an epoch shows real
    and added images once, so that more images mean more steps (Liu et al. 2020)."""
    selection: Literal["fixed", "validation"] = "fixed"
    """fixed: the primary count. validation: the count with the highest mean AUC on validation is
    trained anew, with its controls and fresh seeds, and judged on those trainings only."""
    fresh_repeats: int = 5
    """Fresh trainings of the count that validation selected."""
    generators: GeneratorScope = "per fold and repeat"
    """Number of generators of each class: one for each fold and repeat, one for each fold, or one
    in all. Only the first allows a claim about the recipe of the generator in general."""
    stop_early: bool = False
    """End before `repeats` when trainings add less than a tenth to the variance over patients. The
    rule looks at widths of intervals only, never at differences."""

    def __post_init__(self) -> None:
        for name in ("fold_count", "repeats", "fresh_repeats"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if len(set(self.counts)) < len(self.counts) or any(n < 2 or n % 2 for n in self.counts):
            raise ConfigError(
                f"counts are split over two classes: even, above 0, each once; got {self.counts}"
            )
        if any(not ratio > 0 for ratio in self.ratios):
            raise ConfigError(f"ratios must be above 0, got {self.ratios}")
        if not 0 < self.margin < 0.5:
            raise ConfigError(f"margin must lie between 0 and 0.5 of AUC, got {self.margin}")
        if any(not 0 < share < 1 for share in self.fewer_patients):
            raise ConfigError(f"fewer_patients are shares in (0, 1), got {self.fewer_patients}")
        if self.primary_count is not None and self.selection == "validation":
            raise ConfigError("primary_count is fixed, or selected on validation, not both")
        if self.real_only and (self.stop_early or self.selection == "validation"):
            raise ConfigError(
                "stop_early and selection validation look at arms with synthetic images; give "
                "--counts or --ratios"
            )
        if self.stop_early and self.selection == "validation":
            raise ConfigError(
                "stop_early looks at the primary comparison, which validation has yet to select; "
                "give one of the two"
            )
        for name, kind in (("fold_by", FoldUnit), ("generators", GeneratorScope)):
            if getattr(self, name) not in get_args(kind):
                raise ConfigError(
                    f"{name} must be {' or '.join(get_args(kind))}, got {getattr(self, name)!r}"
                )

    @property
    def real_only(self) -> bool:
        """True if no arm is compared with `real`."""
        return not self.counts and not self.ratios


PRESETS = {
    "controlled": ProtocolSettings(),
    # Source: Liu et al. 2020, table 2 and Methods: one split (198/34/34), one GAN of each class,
    # 1,000 to 5,000 synthetic images, the best count by validation. The paper trained once at each
    # count and had no control arm: five repeats, the controls and the fresh trainings are ours.
    "liu2020": ProtocolSettings(
        fold_count=1,
        counts=(1000, 2000, 3000, 4000, 5000),
        controls=("duplicate", "more-real"),
        online_arms=False,
        budget="epochs",
        selection="validation",
        generators="one",
    ),
    # Source: Liu et al. 2020, table 1: the networks without synthetic images, on one split. The
    # paper trained each once; five repeats are ours.
    "liu2020-table1": ProtocolSettings(
        fold_count=1, ratios=(), controls=(), online_arms=False, budget="epochs", generators="one"
    ),
    # Ours: every phantom patient is tested, within minutes on two CPU cores.
    "demo": ProtocolSettings(
        fold_count=3,
        repeats=3,
        counts=(120,),
        controls=("duplicate", "more-real"),
        online_arms=False,
        generators="per fold",
    ),
}


def resolved_counts(settings: ProtocolSettings, n_real: int) -> tuple[int, ...]:
    """Numbers of added images, ascending; none for the arm `real` alone.

    Args:
        settings: Counts, or ratios.
        n_real: Real training images of the fold with the fewest.

    Raises:
        ConfigError: there is no count, or a ratio gives none.
    """
    if settings.real_only:
        return ()
    counts = settings.counts or tuple(2 * round(ratio * n_real / 2) for ratio in settings.ratios)
    if not counts or min(counts) < 2:
        raise ConfigError(
            f"no count of synthetic images: counts {settings.counts}, ratios {settings.ratios} of "
            f"{n_real} real images"
        )
    return tuple(sorted(set(counts)))


def primary_arm(settings: ProtocolSettings, counts: tuple[int, ...]) -> Arm | None:
    """Arm of the primary comparison; None if validation will select it, or there is none.

    Raises:
        ConfigError: several counts and no primary one, or one that is not trained.
    """
    if settings.selection == "validation" or settings.real_only:
        return None
    chosen = settings.primary_count
    if chosen is None and len(counts) == 1:
        chosen = counts[0]
    if chosen not in counts:
        raise ConfigError(
            f"primary_count is {chosen}; choose one of {', '.join(map(str, counts))}, "
            "or --selection validation"
        )
    return Arm(kind="synthetic", count=chosen)


def planned_arms(settings: ProtocolSettings, counts: tuple[int, ...]) -> tuple[Arm, ...]:
    """Arms of the experiment in the order of their training, the baseline first.

    With selection by validation, the controls come later, with the fresh trainings; see
    `fresh_arms`.
    """
    primary = primary_arm(settings, counts)
    arms = [REAL, *(Arm(kind="synthetic", count=n) for n in counts)]
    if primary:
        at_counts = counts if settings.controls_at == "all" else (primary.count,)
        arms += [Arm(kind=kind, count=n) for n in at_counts for kind in settings.controls]
        if settings.online_arms:
            online = Arm(kind="synthetic", count=primary.count, online=True)
            arms += [Arm(kind="real", online=True), online]
    arms += [Arm(kind="fewer-patients", share=share) for share in settings.fewer_patients]
    return tuple(arms)


def fresh_arms(settings: ProtocolSettings, count: int) -> tuple[Arm, ...]:
    """Arms that are trained anew at the count that validation selected."""
    return (
        REAL,
        Arm(kind="synthetic", count=count),
        *(Arm(kind=kind, count=count) for kind in settings.controls),
    )

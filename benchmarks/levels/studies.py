"""Runs of a cell: simulated studies through the package's own decision code.

Letters: S studies, A arms, K folds, R repeats, J counts; M mutant and W wildtype patients of a
fold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.levels import binormal, retrained
from benchmarks.levels.binormal import Floats, FoldSample
from benchmarks.levels.cells import Cell
from idhray.chance import generator
from idhray.stats.arms.contrasts import ArmContrast, Role, fold_means_contrast
from idhray.stats.arms.decision import Decision, PlannedPart, decide, deciding_test
from idhray.stats.arms.early_stopping import may_stop
from idhray.stats.arms.rule import DecisionRule, needed_repeats
from idhray.stats.mrmc.contrast import Contrast, contrast
from idhray.stats.mrmc.selection import chosen_by_other_repeats
from idhray.stats.mrmc.split_plot import contrast_of_components
from idhray.stats.roc.delong import Components, components

RIVALS = ("duplicate:600", "more-real:600")
PRIMARY = "synthetic:600"
_PAIRS = 1_000_000  # pairs of patients in a batch, at which DeLong's components are fastest
_STUDIES = 250  # in a batch at most

StudyArms = list[list[Components]]  # K x A, each (R, M) and (R, W)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the decision code said of each simulated study."""

    difference: Floats
    se: Floats
    ci_low: Floats
    ci_high: Floats
    claim_low: Floats
    """Ends of the interval that decides; it is the 95% interval unless generators are few."""
    claim_high: Floats
    repeats: NDArray[np.int64]
    truth: Floats
    helps: NDArray[np.bool_]
    hurts: NDArray[np.bool_]
    equivalent: NDArray[np.bool_]
    no_verdict: NDArray[np.bool_]


def answers(cell: Cell, studies: int, *, seed: int = 0) -> Answers:
    """Answers on `studies` simulated studies; the same seed gives the same ones."""
    rng = generator(seed, "experiment levels", cell.key)
    size = _batch_size(cell)
    columns: list[list[tuple[float, ...]]] = []
    for start in range(0, studies, size):
        columns.append(_batch(cell, min(size, studies - start), rng))
    table = np.array([row for batch in columns for row in batch])
    floats, flags = table[:, :8], table[:, 8:].astype(bool)
    return Answers(
        difference=floats[:, 0],
        se=floats[:, 1],
        ci_low=floats[:, 2],
        ci_high=floats[:, 3],
        claim_low=floats[:, 4],
        claim_high=floats[:, 5],
        repeats=floats[:, 6].astype(np.int64),
        truth=floats[:, 7],
        helps=flags[:, 0],
        hurts=flags[:, 1],
        equivalent=flags[:, 2],
        no_verdict=flags[:, 3],
    )


def _batch_size(cell: Cell) -> int:
    arms = 1 + cell.counts + (0 if cell.rivals == "far below" else len(RIVALS))
    n = -(-cell.patients // cell.folds)
    return int(np.clip(_PAIRS // (arms * cell.repeats * n * n // 4), 20, _STUDIES))


def _batch(cell: Cell, studies: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    make: Callable[..., tuple[list[FoldSample], Floats]] = (
        binormal.sample if cell.world == "binormal" else retrained.sample
    )
    folds, truth = make(cell, studies, rng)
    tests = [_components(fold.labels, fold.test) for fold in folds]
    chosen = _chosen(cell, folds)
    judge = _Judge(cell)
    rows = []
    for study in range(studies):
        arms = _study_arms(cell, tests, study, None if chosen is None else chosen[study])
        decision, test = judge(arms)
        rows.append(
            (
                test.difference,
                test.se,
                test.ci_low,
                test.ci_high,
                *test.interval(decision.confidence),
                test.repeats,
                truth[study],
                decision.answer == "helps",
                decision.answer == "hurts",
                decision.equivalent,
                bool(decision.no_verdict),
            )
        )
    return rows


def _components(labels: NDArray[np.int64], scores: Floats) -> Components:
    """(S, A, R, M) and (S, A, R, W): one call for all studies."""
    of_mutants, of_wildtypes = components(labels, scores.reshape(-1, scores.shape[-1]))
    return (
        of_mutants.reshape(*scores.shape[:-1], -1),
        of_wildtypes.reshape(*scores.shape[:-1], -1),
    )


def _chosen(cell: Cell, folds: Sequence[FoldSample]) -> NDArray[np.int64] | None:
    """(S, K, R) index of the judged count; None if it is fixed."""
    if cell.selection == "fixed":
        return None
    areas = []
    for fold in folds:
        assert fold.validation is not None
        areas.append(_components(fold.labels, fold.validation)[0].mean(axis=-1))
    validation = np.stack(areas, axis=1).swapaxes(2, 3)  # (S, K, R, J)
    if cell.selection == "other repeats":
        return np.stack([chosen_by_other_repeats(study) for study in validation])
    best = validation.mean(axis=2).argmax(axis=2)  # (S, K), as each fold has validation patients
    return np.broadcast_to(best[:, :, None], validation.shape[:3])


def _study_arms(
    cell: Cell, tests: Sequence[Components], study: int, chosen: NDArray[np.int64] | None
) -> StudyArms:
    """Components of baseline, primary arm and rivals, per fold."""
    rows = np.arange(cell.repeats)
    arms = []
    for number, (of_mutants, of_wildtypes) in enumerate(tests):
        mutants, wildtypes = of_mutants[study], of_wildtypes[study]
        picks = np.ones(cell.repeats, dtype=np.int64) if chosen is None else 1 + chosen[number]
        fold = [(mutants[0], wildtypes[0]), (mutants[picks, rows], wildtypes[picks, rows])]
        fold += [(mutants[a], wildtypes[a]) for a in range(1 + cell.counts, len(mutants))]
        arms.append(fold)
    return arms


class _Judge:
    """The rule of a cell. Where rivals are far below, their contrasts are constants."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.rule = DecisionRule(
            primary=PRIMARY,
            controls=RIVALS,
            margin=cell.margin,
            generators="one"
            if cell.folds == 1 and cell.generators == "per fold"
            else (cell.generators),
            planned_repeats=cell.repeats,
            stopping=cell.stopping,
        )
        self.judged = range(
            needed_repeats(cell.folds) if cell.stopping else cell.repeats, cell.repeats + 1
        )
        self._far_below = {repeats: self._constant(repeats) for repeats in self.judged}

    def __call__(self, arms: StudyArms) -> tuple[Decision, Contrast]:
        """The answer, after the first repeat at which the rule lets the study end."""
        for repeats in self.judged:
            contrasts = self._contrasts(arms, repeats)
            if repeats == self.cell.repeats or may_stop([item.contrast for item in contrasts]):
                break
        unfinished = (
            f"{repeats} of {self.cell.repeats} planned repeats"
            if repeats < self.cell.repeats
            else ""
        )
        plan = PlannedPart(judged=tuple(range(repeats)), later=(), unfinished=unfinished)
        decision = decide(
            contrasts, self.rule, plan, folds=self.cell.folds, fewest=self.cell.fewest_of_class
        )
        return decision, deciding_test(contrasts[0], self.rule)

    def _contrasts(self, arms: StudyArms, repeats: int) -> list[ArmContrast]:
        contrasts = [self._contrast(arms, 0, "real", "primary", repeats)]
        if self.cell.rivals == "far below":
            return contrasts + self._far_below[repeats]
        return contrasts + [
            self._contrast(arms, 2 + number, rival, "control", repeats)
            for number, rival in enumerate(RIVALS)
        ]

    def _contrast(
        self, arms: StudyArms, other: int, name: str, role: Role, repeats: int
    ) -> ArmContrast:
        """The primary arm against arm number `other`."""
        folds = [
            (
                fold[1][0][:repeats] - fold[other][0][:repeats],
                fold[1][1][:repeats] - fold[other][1][:repeats],
            )
            for fold in arms
        ]
        means = None
        if self.rule.generators == "per fold":
            means = fold_means_contrast(
                np.array([of_mutants.mean(axis=1) for of_mutants, _ in folds])
            )
        return ArmContrast(
            arm=PRIMARY,
            baseline=name,
            role=role,
            repeats=tuple(range(repeats)),
            contrast=contrast_of_components(folds),
            fold_means=means,
            variance_ratio=np.nan,
        )

    def _constant(self, repeats: int) -> list[ArmContrast]:
        """Contrasts with rivals that are .5 below, so surely that the primary contrast decides."""
        folds = self.cell.folds
        small = np.linspace(0.5, 0.5001, folds * repeats).reshape(folds, repeats)
        return [
            ArmContrast(
                arm=PRIMARY,
                baseline=rival,
                role="control",
                repeats=tuple(range(repeats)),
                contrast=contrast(0.5, 1e-9, 1e-6, folds=folds, repeats=repeats),
                fold_means=fold_means_contrast(small),
                variance_ratio=np.nan,
            )
            for rival in RIVALS
        ]

"""Cells of the grid: one design and one world each.

Letters: N patients, K folds, R repeats, J counts of synthetic images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice, product, zip_longest
from typing import Any, Literal

from idhray.stats.arms.rule import Generators, needed_repeats

Selection = Literal["fixed", "fresh", "other repeats", "same trainings"]
Rivals = Literal["far below", "no effect", "equal"]
World = Literal["binormal", "retrained"]
PER_TRAINING: Generators = "per fold and repeat"
PER_FOLD: Generators = "per fold"
SHARED: Generators = "one"

PATIENTS, FOLDS, REPEATS = (400, 34, 200, 62), (1, 5, 8), (3, 5, 10)
TRAINING_SDS, GENERATOR_SDS = (0.5, 0.25, 0.1, 0.0), (0.25, 0.1, 0.0)
BINORMAL_AUC = 0.82
_LEVEL_TURNS = 6  # cells of the grid per cell of another group


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One design and one world. SDs are in d', the distance of the classes' means."""

    world: World = "binormal"
    question: str = "level"
    """Group of cells to which this one belongs."""
    patients: int
    folds: int
    repeats: int
    training_sd: float = 0.0
    generator_sd: float = 0.0
    generators: Generators = PER_TRAINING
    counts: int = 1
    selection: Selection = "fixed"
    rivals: Rivals = "far below"
    """Arms `duplicate` and `more-real`: far below (the primary contrast decides), without an effect
    as the primary arm, or equal to the primary arm."""
    gain: float = 0.0
    """True gain of the primary arm in AUC."""
    auc: float = BINORMAL_AUC
    margin: float = 0.02
    mutant_share: float = 0.5
    same_arm: float = 0.8
    """Correlation of a patient's scores by two trainings of an arm."""
    other_arm: float = 0.72
    """Correlation of a patient's scores by two trainings of two arms."""
    fold_spread: float = 1.0
    """Training SD of the last fold over that of the first; geometric in between."""
    stopping: bool = False
    """Repeats end early by the widths of the intervals."""
    baseline_share: float = 0.7
    """Retrained: share of the training patients that each training of the baseline sees."""
    primary_share: float = 0.7
    """Retrained: the same of the primary arm."""
    twin_sd: float = 0.0
    """Retrained: SD of an arm's fixed change of every training patient, shared by all folds."""

    @property
    def key(self) -> str:
        """All fields that differ from their defaults, as text."""
        return " ".join(
            f"{each.name}={getattr(self, each.name)}"
            for each in fields(self)
            if getattr(self, each.name) != each.default
        )

    @property
    def fewest_of_class(self) -> int:
        """Patients of the smaller class in the smallest test fold."""
        mutants = round(self.patients * self.mutant_share)
        return min(mutants, self.patients - mutants) // self.folds

    def row(self) -> dict[str, Any]:
        """The fields, and the size of the smallest test class."""
        return {"key": self.key, **asdict(self), "fewest_of_class": self.fewest_of_class}


def allowed(cell: Cell) -> bool:
    """True if the product gives a verdict in this design, and no other cell is the same.

    With one fold, a generator per fold is one in all. Without variation between generators, one in
    all is as good as one per training; one per fold still has a test of its own.
    """
    if cell.repeats < needed_repeats(cell.folds) or cell.fewest_of_class < 2:
        return False
    if cell.generators == PER_FOLD:
        return cell.folds > 1
    return cell.generators == PER_TRAINING or cell.generator_sd > 0


def designs(**fixed: Any) -> Iterator[Cell]:
    """All allowed cells of the grid, the worst worlds first."""
    worlds = product(TRAINING_SDS, GENERATOR_SDS)
    for training_sd, generator_sd in sorted(worlds, key=lambda sds: -sum(sds)):
        for patients, folds, repeats in product(PATIENTS, FOLDS, REPEATS):
            for generators in (PER_TRAINING, PER_FOLD, SHARED):
                cell = Cell(
                    patients=patients,
                    folds=folds,
                    repeats=repeats,
                    training_sd=training_sd,
                    generator_sd=generator_sd,
                    generators=generators,
                    **fixed,
                )
                if allowed(cell):
                    yield cell


def worst_cells() -> Iterator[Cell]:
    """400 patients, SDs of .5 and .25, 1 and 5 folds."""
    for cell in designs():
        if (cell.patients, cell.training_sd, cell.generator_sd) == (400, 0.5, 0.25):
            yield cell


def equivalence_cells() -> Iterator[Cell]:
    """True differences of exactly the margin, of either sign."""
    for patients, folds, repeats in (
        (62, 5, 5),
        (200, 5, 3),
        (200, 5, 10),
        (400, 1, 5),
        (400, 5, 5),
    ):
        for training_sd, generator_sd in ((0.0, 0.0), (0.1, 0.1), (0.5, 0.25)):
            for margin, sign in product((0.02, 0.05, 0.08), (-1, 1)):
                yield Cell(
                    question="equivalence",
                    patients=patients,
                    folds=folds,
                    repeats=repeats,
                    training_sd=training_sd,
                    generator_sd=generator_sd,
                    gain=sign * margin,
                    margin=margin,
                )


def rival_cells() -> Iterator[Cell]:
    """Four arms: none has an effect, or both rivals are as good as the synthetic images."""
    for patients, folds, repeats in ((34, 1, 5), (62, 5, 5), (200, 5, 3), (400, 5, 5), (264, 8, 5)):
        for training_sd, generator_sd in ((0.5, 0.25), (0.1, 0.1)):
            sds = {"training_sd": training_sd, "generator_sd": generator_sd}
            design = {"patients": patients, "folds": folds, "repeats": repeats}
            yield Cell(question="rivals", rivals="no effect", **design, **sds)
            yield Cell(question="rivals", rivals="equal", gain=0.08, **design, **sds)


def selection_cells(selection: Selection) -> Iterator[Cell]:
    """Five counts, and the way in which the judged count is chosen."""
    for patients, folds, repeats in (
        (200, 5, 5),
        (400, 5, 5),
        (400, 1, 5),
        (62, 5, 3),
        (34, 1, 10),
    ):
        for training_sd, generator_sd in ((0.5, 0.0), (0.25, 0.1), (0.1, 0.0)):
            yield Cell(
                question="selection",
                patients=patients,
                folds=folds,
                repeats=repeats,
                training_sd=training_sd,
                generator_sd=generator_sd,
                counts=5,
                selection=selection,
            )


def stopping_cells() -> Iterator[Cell]:
    """Up to ten repeats, fewer where trainings agree; scores that make stopping frequent."""
    for patients, folds in product((34, 200, 400), (1, 5)):
        for training_sd, generator_sd in ((0.5, 0.25), (0.1, 0.0), (0.0, 0.0)):
            for same_arm, other_arm in ((0.97, 0.8), (0.99, 0.5)):
                yield Cell(
                    question="stopping",
                    patients=patients,
                    folds=folds,
                    repeats=10,
                    training_sd=training_sd,
                    generator_sd=generator_sd,
                    same_arm=same_arm,
                    other_arm=other_arm,
                    stopping=True,
                )


def further_cells() -> Iterator[Cell]:
    """Other correlations of scores, unequal classes, and training SDs that differ by fold."""
    base = Cell(question="other worlds", patients=200, folds=5, repeats=5, training_sd=0.25)
    for patients, folds, repeats in ((62, 5, 5), (200, 5, 3), (400, 1, 5), (400, 8, 3)):
        cell = replace(base, patients=patients, folds=folds, repeats=repeats)
        for same_arm, other_arm in ((0.7, 0.7), (0.97, 0.9), (0.9, 0.5)):
            yield replace(cell, same_arm=same_arm, other_arm=other_arm)
        yield replace(cell, mutant_share=50 / 62)
        for spread in (4.0, 16.0):
            yield replace(cell, fold_spread=spread, generator_sd=0.1)
    yield replace(base, patients=264, folds=8, auc=0.95)


def power_cells() -> Iterator[Cell]:
    """True gains, for the planner's power beside the simulated one."""
    for patients, folds, repeats in ((34, 1, 5), (62, 5, 5), (200, 5, 3), (400, 5, 5), (264, 8, 5)):
        gains = (0.05, 0.1) if patients < 100 else (0.03, 0.06)
        for training_sd, generator_sd in ((0.5, 0.25), (0.1, 0.1), (0.0, 0.0)):
            for gain in gains:
                cell = Cell(
                    question="power",
                    patients=patients,
                    folds=folds,
                    repeats=repeats,
                    training_sd=training_sd,
                    generator_sd=generator_sd,
                    gain=gain,
                )
                yield cell
                if gain == gains[1]:
                    yield replace(cell, question="power of all", rivals="no effect")


def retrained_cells() -> Iterator[Cell]:
    """40 cells of classifiers that are trained anew and share patients between folds."""
    for patients, folds, repeats in ((200, 5, 3), (264, 8, 5), (62, 5, 5), (34, 1, 5), (400, 5, 3)):
        for generator_sd, generators in (
            (0.0, PER_TRAINING),
            (0.12, PER_TRAINING),
            (0.3, PER_TRAINING),
            (0.3, PER_FOLD),
        ):
            cell = _retrained(patients, folds, repeats, generator_sd, "retrained level")
            if allowed(cell := replace(cell, generators=generators)):
                yield cell
    yield from _retrained_power()
    for patients, folds, repeats in ((200, 5, 3), (264, 8, 5), (62, 5, 5), (400, 5, 5)):
        cell = _retrained(patients, folds, repeats, 0.12, "retrained, shared effect")
        yield replace(cell, twin_sd=0.5)
        yield replace(cell, twin_sd=1.0)
        spread = replace(cell, question="retrained, S2 by fold")
        yield replace(spread, fold_spread=4.0)
        yield replace(spread, fold_spread=16.0, generator_sd=0.3)
    yield _retrained(200, 5, 10, 0.3, "retrained level")


def _retrained(patients: int, folds: int, repeats: int, generator_sd: float, question: str) -> Cell:
    return Cell(
        world="retrained",
        question=question,
        patients=patients,
        folds=folds,
        repeats=repeats,
        generator_sd=generator_sd,
    )


def _retrained_power() -> Iterator[Cell]:
    """Baselines trained on 40 % of the training patients, and arms on more."""
    for design, share, generator_sd in (
        ((200, 5, 3), 0.7, 0.12),
        ((200, 5, 3), 0.9, 0.0),
        ((200, 5, 3), 0.9, 0.12),
        ((264, 8, 5), 0.9, 0.12),
    ):
        cell = _retrained(*design, generator_sd, "retrained power")
        yield replace(cell, baseline_share=0.4, primary_share=share)


def all_cells() -> list[Cell]:
    """Every cell: those that could fail first, then those of all groups in turn.

    So a run of any length covers every group.
    """
    groups = [
        retrained_cells(),
        equivalence_cells(),
        selection_cells("same trainings"),
        selection_cells("fresh"),
        selection_cells("other repeats"),
        stopping_cells(),
        *(islice(designs(), turn, None, _LEVEL_TURNS) for turn in range(_LEVEL_TURNS)),
    ]
    cells = [*worst_cells(), *rival_cells(), *power_cells(), *further_cells(), *in_turn(groups)]
    cells += designs(question="response curve", counts=5, selection="other repeats")
    return list(dict.fromkeys(cells))


def in_turn(groups: Sequence[Iterator[Cell]]) -> Iterator[Cell]:
    """Cells of the groups, one of each in turn; a shorter group ends earlier."""
    for cells in zip_longest(*groups):
        yield from (cell for cell in cells if cell is not None)

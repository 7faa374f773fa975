"""Plan of a cohort's patches: the patches of each tile, and their ranks within the patient.

Training patches are balanced over classes, patients, slides and tiles; see `plan_patches`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from idhray.chance import seed_for
from idhray.cohorts.folds import Folds, listed
from idhray.cohorts.manifest import LABELS, SPLITS
from idhray.errors import TableError
from idhray.image_ranks import fair_shares
from idhray.slides.patches import PatchSettings

TileKey = tuple[str, int]  # slide, rank


@dataclass(frozen=True, kw_only=True)
class PatchPlan:
    """Patches of each tile, and the patches that are missing."""

    ranks: dict[TileKey, tuple[int, ...]]
    """Ranks, within the patient, of the patches of each tile (slide, rank), in the order in which
    they are cut; tiles without patches are left out."""
    shortfall: dict[str, int]
    """Missing patches by class or patient ("train mutant", "reserve mutant", "fold 1 train mutant",
    "test PATIENT") with too few tiles."""
    per_patient: dict[str, int]
    """Planned patches of each patient."""
    unlabeled: list[str]
    """Patients without a known IDH status; they get no patches unless all patients do."""

    @property
    def counts(self) -> dict[TileKey, int]:
        """Number of patches of each tile."""
        return {key: len(ranks) for key, ranks in self.ranks.items()}


@dataclass(frozen=True)
class _Shares:
    """Number of patches of each patient, and the missing ones."""

    tiles: pd.DataFrame
    """Rows of the patients who get patches."""
    settings: PatchSettings
    seed: int
    numbers: dict[str, int] = field(default_factory=dict)
    shortfall: dict[str, int] = field(default_factory=dict)

    def capacity(self) -> dict[str, int]:
        """Largest number of patches of each patient."""
        places = len(self.settings.lattice_px) ** 2
        return {
            str(name): places * int(n) for name, n in self.tiles["patient"].value_counts().items()
        }

    def add_training(self, group: str, idh: str, patients: Sequence[str]) -> None:
        """Share the training patches of a class, and its reserve, over its patients."""
        settings, capacity = self.settings, self.capacity()
        slides = self.tiles.groupby("patient")["slide"].agg(lambda names: sorted(set(names)))
        total = settings.train_per_class + settings.reserve_per_class
        shares = fair_shares(
            total,
            {name: capacity[name] for name in patients},
            lambda name: seed_for(self.seed, "patches", *slides[name], name),
        )
        for name, share in shares.items():
            self.numbers[name] = max(share, self.numbers.get(name, 0))
        missing = total - sum(shares.values())
        of_reserve = min(missing, settings.reserve_per_class)
        self._add_missing(f"{group}train {idh}", missing - of_reserve)
        self._add_missing(f"{group}reserve {idh}", of_reserve)

    def add_evaluation(self, group: str, patient: str, capacity: int) -> None:
        """Give a patient the number of patches that it is evaluated on."""
        number = min(capacity, self.settings.eval_per_patient)
        self.numbers[patient] = max(number, self.numbers.get(patient, 0))
        self._add_missing(f"{group} {patient}", self.settings.eval_per_patient - number)

    def _add_missing(self, group: str, missing: int) -> None:
        if missing:
            self.shortfall[group] = missing


def plan_patches(
    tiles: pd.DataFrame,
    settings: PatchSettings,
    seed: int,
    folds: Folds | None = None,
    *,
    all_patients: bool = False,
) -> PatchPlan:
    """Patches to cut from each tile; the order of the rows has no effect.

    Training patches are balanced over the two classes, then over the patients of a class, the
    slides of a patient and the tiles of a slide. Each validation and test patient gets the same
    number. With folds, a patient gets the largest number that it needs in any of its roles. If no
    tile has a split, all labeled patients get the number of a validation patient.

    Args:
        tiles: Rows of one or several TILES tables, with patient, idh, split, slide and rank.
        settings: Requested numbers of patches.
        seed: Seed of the run; it decides which tiles give one more if a number does not divide.
        folds: Roles of the patients, which replace the split.
        all_patients: Patients of unknown IDH status also get the number of a test patient.

    Raises:
        TableError: A tile is listed twice; a split is none of train, val and test; or the folds
            lack a labeled patient, or give it another label.
    """
    labeled = tiles["idh"].isin(LABELS)
    _check_tiles(tiles[labeled], folds)
    shares = _Shares(tiles if all_patients else tiles[labeled], settings, seed)
    labels = dict(zip(tiles["patient"], tiles["idh"], strict=True))
    if folds is None:
        splits = tiles[labeled].drop_duplicates("patient").set_index("patient")["split"].to_dict()
        _add_shares(shares, "", splits, labels)
    else:
        for fold in folds.numbers():
            roles = {name: role for name, role in folds.roles(fold).items() if name in labels}
            _add_shares(shares, f"fold {fold} ", roles, labels)
    if all_patients:
        capacity = shares.capacity()
        for name in sorted(set(tiles.loc[~labeled, "patient"])):
            shares.add_evaluation("unlabeled", name, capacity[name])
    ranks: dict[TileKey, list[int]] = {}
    for patient, rows in shares.tiles.groupby("patient"):
        number = shares.numbers[str(patient)]
        order = ranked_tiles(rows, settings, seed)
        for rank, key in zip(range(1, number + 1), order, strict=False):
            ranks.setdefault(key, []).append(rank)
    unlabeled = sorted(set(tiles.loc[~labeled, "patient"]))
    return PatchPlan(
        ranks={key: tuple(values) for key, values in ranks.items()},
        shortfall=shares.shortfall,
        per_patient=shares.numbers,
        unlabeled=unlabeled,
    )


def _add_shares(
    shares: _Shares, group: str, roles: Mapping[str, str], labels: Mapping[str, str]
) -> None:
    """Add what the patients need in their roles of one fold, or of the split."""
    capacity = shares.capacity()
    for idh in sorted(LABELS):
        training = [n for n, role in roles.items() if role == "train" and labels[n] == idh]
        if training:
            shares.add_training(group, idh, training)
    for name in sorted(name for name, role in roles.items() if role != "train"):
        # The name of a patient's role in several folds is that of the test.
        role = "test" if group else roles[name] or "unsplit"
        shares.add_evaluation(role, name, capacity[name])


def ranked_tiles(rows: pd.DataFrame, settings: PatchSettings, seed: int) -> Iterator[TileKey]:
    """Tile of each patch of a patient, by rank, until all places are taken.

    Slides take turns, and the tiles of a slide take turns within it, so that the first patches,
    however many, are spread over slides and tiles as `fair_shares` spreads them.

    Args:
        rows: Tiles of the patient, with slide and rank.
    """
    places_per_tile = len(settings.lattice_px) ** 2
    tiles_of_slide = {str(slide): group["rank"] for slide, group in rows.groupby("slide")}
    turns = [
        _turns(slide, [int(rank) for rank in tiles_of_slide[slide]], places_per_tile, seed)
        for slide in sorted(
            tiles_of_slide, key=lambda slide: seed_for(seed, "patches", slide, slide)
        )
    ]
    while turns:
        waiting = []
        for slide_turns in turns:
            if (key := next(slide_turns, None)) is not None:
                yield key
                waiting.append(slide_turns)
        turns = waiting


def _turns(slide: str, ranks: Sequence[int], places: int, seed: int) -> Iterator[TileKey]:
    """Tiles of one slide in turn, each as often as it has places."""
    # Seeds differ between slides, so that no rank is favored.
    order = sorted(ranks, key=lambda rank: seed_for(seed, "patches", slide, rank))
    for _ in range(places):
        yield from ((slide, rank) for rank in order)


def _check_tiles(tiles: pd.DataFrame, folds: Folds | None) -> None:
    duplicates = tiles[tiles.duplicated(["slide", "rank"])]
    if len(duplicates):
        slide, rank = duplicates.iloc[0][["slide", "rank"]]
        raise TableError(f"tiles: slide {slide} has more than one tile of rank {rank}")
    if folds is not None:
        _check_folds(tiles, folds)
    elif wrong := sorted({str(split) for split in tiles["split"]} - set(SPLITS)):
        if {*tiles["split"]} == {""}:
            return  # too few patients for a split
        raise TableError(f"tiles: split is {wrong[0]}, must be train, val or test")


def _check_folds(tiles: pd.DataFrame, folds: Folds) -> None:
    """Refuse labeled patients that are not in the folds, or with another label."""
    labels = folds.labels()
    if absent := sorted(set(tiles["patient"]) - set(labels)):
        raise TableError(
            f"folds: no row for {listed(absent)}, who have labels; add them with "
            "`idhray split-cohort --extend`"
        )
    rows = tiles.drop_duplicates("patient")
    if changed := sorted(rows.loc[rows["patient"].map(labels) != rows["idh"], "patient"]):
        raise TableError(
            f"folds: another label than in the tiles for {listed(changed)}; draw the folds anew"
        )

"""Readings of a reader study: one frame of features per reader, and their consensus.

A case is one image (a CE-T1w slice with its FLAIR), of a patient or synthetic. Rows of the reader
`consensus` settle the cells on which readers differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from idhray.stats.papers.park.features import FEATURE_NAMES, FEATURES
from idhray.stats.readers.agreement import discordant_readings, with_consensus

CONSENSUS = "consensus"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Readings:
    """The features that each reader assigned to each case, and the cases.

    If readers only judged which images are real, there are no cases, only `judgments`.
    """

    cases: pd.DataFrame
    """Cases with assigned features and known IDH status. Index case; columns patient ("" if
    synthetic), label (0, 1), split, real, age (NaN if unknown)."""
    by_reader: dict[str, pd.DataFrame]
    """Reader -> features of every case of `cases`, as text."""
    settled: pd.DataFrame
    """Rows of the reader `consensus`; columns case, feature, consensus."""
    judgments: pd.DataFrame
    """The visual Turing test, may be empty; columns reader, case, real, judged_real (bool)."""
    unknown_idh: int
    """Number of real cases without a known IDH status; only the Turing test uses them."""
    absent_features: Mapping[str, str] = field(default_factory=dict)
    """Feature that too few cells have -> the reason why it is in no table; its cells are empty."""

    @property
    def used_features(self) -> tuple[str, ...]:
        """Features that the readers read."""
        return tuple(name for name in FEATURE_NAMES if name not in self.absent_features)

    def feature_rows(self, cases: "pd.Index[str] | None" = None) -> pd.DataFrame:
        """Columns reader, case and the features, as `agreement` takes them; all cases if None."""
        names = self.cases.index if cases is None else cases
        frames = [
            frame.loc[names].reset_index().assign(reader=reader)
            for reader, frame in self.by_reader.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def discordant_cells(self) -> pd.DataFrame:
        """Cells on which readers differ, with the value of each reader and the consensus so far."""
        if self.cases.empty or len(self.by_reader) < 2:
            return pd.DataFrame(columns=["case", "feature", *self.by_reader, CONSENSUS])
        cells = discordant_readings(self.feature_rows(), self.used_features)
        names = dict(zip(cells.columns[2:], self.by_reader, strict=True))
        return cells.rename(columns=names).merge(self.settled, how="left").fillna({CONSENSUS: ""})

    def agreed_features(self, cases: "pd.Index[str]", *, else_first: bool = False) -> pd.DataFrame:
        """Features on which all readers agree or that consensus settled; index case.

        Args:
            else_first: Take the value of the first reader (by name) for cells without consensus.

        Raises:
            SampleError: readers differ on a cell without consensus and `else_first` is False, or a
                consensus contradicts a value on which all readers agree.
        """
        if len(self.by_reader) == 1:
            return next(iter(self.by_reader.values())).loc[cases]
        settled = self.settled[self.settled["case"].isin(cases)]
        if else_first:
            open_cells = self.discordant_cells()
            open_cells = open_cells[open_cells["case"].isin(cases) & (open_cells[CONSENSUS] == "")]
            first = open_cells.assign(**{CONSENSUS: open_cells[next(iter(self.by_reader))]})
            settled = pd.concat([settled, first[["case", "feature", CONSENSUS]]])
        levels = {feature.name: list(feature.levels) for feature in FEATURES}
        names = self.used_features
        table = with_consensus(self.feature_rows(cases), names, settled, levels=levels)
        agreed = table.set_index("case").loc[cases, list(names)]
        return agreed.reindex(columns=list(FEATURE_NAMES), fill_value="")

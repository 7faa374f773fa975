"""Multi-reader multi-case analysis of a table of readings."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from idhray.stats.interface.answer import Answer, interval_text
from idhray.stats.interface.inputs import check_columns, label_code, labels_from
from idhray.stats.mrmc.area_covariance import AreaCovariance
from idhray.stats.mrmc.obuchowski_rockette import (
    MrmcDesign,
    ObuchowskiRockette,
    Sampling,
    obuchowski_rockette,
)
from idhray.stats.sample import CONFIDENCE, Labels, SampleError, Scores, z_of
from idhray.stats.text import p_text, printed, signed


@dataclass(frozen=True, kw_only=True)
class MrmcAnswer(Answer[ObuchowskiRockette]):
    """The analysis of readings; `frame()` holds the differences between treatments."""

    treatments: tuple[str, ...]
    readers: tuple[str, ...]

    def areas_frame(self) -> pd.DataFrame:
        """The area of each reader (rows) under each treatment (columns)."""
        return pd.DataFrame(self.figures.areas.T, index=self.readers, columns=self.treatments)

    def readers_frame(self) -> pd.DataFrame:
        """The area of each reader over cases: treatment, reader, auc, se, ci_low, ci_high."""
        half = z_of(CONFIDENCE) * self.figures.area_errors
        low, high = self.figures.areas - half, self.figures.areas + half
        names = pd.MultiIndex.from_product(
            [self.treatments, self.readers], names=["treatment", "reader"]
        )
        columns = {
            "auc": self.figures.areas.ravel(),
            "se": self.figures.area_errors.ravel(),
            "ci_low": low.clip(0).ravel(),
            "ci_high": high.clip(None, 1).ravel(),
        }
        return pd.DataFrame(columns, index=names).reset_index()

    def means_frame(self) -> pd.DataFrame:
        """Mean area of each treatment: treatment, auc, se, df, ci_low, ci_high."""
        rows = [
            {
                "treatment": name,
                "auc": mean.value,
                "se": mean.se,
                "df": mean.df,
                "ci_low": mean.ci_low,
                "ci_high": mean.ci_high,
            }
            for name, mean in zip(self.treatments, self.figures.means, strict=True)
        ]
        return pd.DataFrame(rows)

    def equality_frame(self) -> pd.DataFrame:
        """The test of equality in one row; no rows with a single treatment."""
        test = self.figures.equality
        names = ["test", "statistic", "df1", "df2", "p", "ms_treatment", "denominator"]
        if test is None:
            return pd.DataFrame(columns=names)
        values = [test.name, test.statistic, test.df1, test.df2, test.p]
        return pd.DataFrame([[*values, test.ms_treatment, test.denominator]], columns=names)

    def components_frame(self) -> pd.DataFrame:
        """Variance components: component, estimate, correlation; no rows with fixed cases."""
        parts = self.figures.components
        names = ["component", "estimate", "correlation"]
        if parts is None:
            return pd.DataFrame(columns=names)
        correlations = (np.nan, np.nan, np.nan, *parts.correlations)
        rows = [
            [part.name, getattr(parts, part.name), correlation]
            for part, correlation in zip(fields(parts), correlations, strict=True)
        ]
        return pd.DataFrame(rows, columns=names)


def mrmc(
    frame: pd.DataFrame,
    *,
    reader: str = "reader",
    treatment: str = "treatment",
    case: str = "case",
    truth: str = "truth",
    rating: str = "rating",
    covariance: AreaCovariance = "delong",
    readers: Sampling = "random",
    cases: Sampling = "random",
) -> MrmcAnswer:
    """Areas under ROC curves of several readers under several treatments (modalities).

    Every reader rates every case under every treatment. The result holds the test of equality,
    all pairwise differences (`frame`), mean areas, and variance components. Differences of more
    than two treatments are not adjusted for their number.

    Args:
        frame: One row per reading.
        reader, treatment, case, truth, rating: Names of its columns. `truth` is mutant or
            wildtype, 1 or 0; a higher rating speaks for mutant.
        covariance: Estimate of the covariance of areas over cases: `delong` or `jackknife`.
        readers: `random`: the answer holds for readers such as these; `fixed`: for these.
        cases: The same for cases.

    Raises:
        SampleError: a column is missing; a reading is missing, repeated or no number; a case has
            two truths; a class has a single case; both factors are fixed; a single reader is
            random.

    Source: Obuchowski and Rockette 1995; Hillis 2007. Equal to R's MRMCaov.
    """
    check_columns(frame, [reader, treatment, case, truth, rating])
    columns = frame[[reader, treatment, case, truth, rating]]
    columns.columns = pd.Index(["reader", "treatment", "case", "truth", "rating"])
    _check_readings(columns)
    labels, ratings, treatments, names = _cube(columns)
    figures = obuchowski_rockette(
        labels, ratings, covariance=covariance, design=MrmcDesign(readers=readers, cases=cases)
    )
    return MrmcAnswer(
        figures=figures,
        text=_text(figures, treatments, len(names)),
        table=_differences(figures, treatments),
        notes=tuple(_notes(figures)),
        treatments=treatments,
        readers=names,
    )


def _check_readings(rows: pd.DataFrame) -> None:
    if rows.empty:
        raise SampleError("no readings")
    if empty := int(rows.isna().any(axis=1).sum()):
        raise SampleError(f"{empty} of {len(rows)} readings have an empty cell; complete them")
    if repeated := int(rows.duplicated(["reader", "treatment", "case"]).sum()):
        raise SampleError(f"{repeated} readings are repeated (same reader, treatment and case)")
    codes = rows["truth"].astype(str).map({t: label_code(t) for t in rows["truth"].astype(str)})
    truths = codes.groupby(rows["case"], observed=True).nunique()
    if len(twice := truths.index[truths > 1]):
        raise SampleError(f"case {twice[0]} has two truths")


def _cube(rows: pd.DataFrame) -> tuple[Labels, Scores, tuple[str, ...], tuple[str, ...]]:
    """Labels (N,), ratings (T, R, N), and the names of treatments and readers, in order."""
    numbers = pd.to_numeric(rows["rating"], errors="coerce").to_numpy(dtype=np.float64)
    if bad := int((~np.isfinite(numbers)).sum()):
        raise SampleError(f"{bad} ratings are no finite numbers; a rating may be 1 to 5, or 0 to 1")
    factors = [
        pd.Categorical(rows[name]).remove_unused_categories()
        for name in ("treatment", "reader", "case")
    ]
    shape = tuple(len(factor.categories) for factor in factors)
    ratings = np.full(shape, np.nan)
    ratings[tuple(np.asarray(factor.codes) for factor in factors)] = numbers
    if absent := int(np.isnan(ratings).sum()):
        place = [
            str(factor.categories[at[0]])
            for factor, at in zip(factors, np.nonzero(np.isnan(ratings)), strict=True)
        ]
        raise SampleError(
            f"{absent} of {ratings.size} readings are missing, such as reader {place[1]}, "
            f"treatment {place[0]}, case {place[2]}; every reader must rate every case"
        )
    truth = pd.Series(rows["truth"].to_numpy(), index=np.asarray(factors[2].codes))
    first = truth[~truth.index.duplicated()].sort_index()
    treatments, readers = (tuple(map(str, factor.categories)) for factor in factors[:2])
    return labels_from(first.to_numpy()), ratings, treatments, readers


def _differences(figures: ObuchowskiRockette, treatments: tuple[str, ...]) -> pd.DataFrame:
    names = ["comparison", "estimate", "se", "df", "t", "p", "ci_low", "ci_high"]
    rows = [
        [f"{treatments[i]} - {treatments[j]}", d.value, d.se, d.df, d.t, d.p, d.ci_low, d.ci_high]
        for (i, j), d in figures.differences.items()
    ]
    return pd.DataFrame(rows, columns=names)


def _notes(figures: ObuchowskiRockette) -> list[str]:
    notes = []
    if len(figures.differences) > 1:
        notes.append(f"{len(figures.differences)} differences: their P values are not adjusted.")
    if any(np.isnan(difference.p) for difference in figures.differences.values()):
        notes.append("The variance of a difference is 0 or its estimate negative: no P, no claim.")
    return notes


def _text(figures: ObuchowskiRockette, treatments: tuple[str, ...], readers: int) -> str:
    design = figures.design
    lines = [
        f"{readers} {design.readers} readers, {figures.n_mutant} mutant and "
        f"{figures.n_wildtype} wildtype {design.cases} cases, {figures.covariance} covariance."
    ]
    lines += [
        f"AUC of {name}: {printed(mean.value)} ({interval_text(mean.ci_low, mean.ci_high)})."
        for name, mean in zip(treatments, figures.means, strict=True)
    ]
    if (test := figures.equality) is not None:
        freedom = printed(test.df1, 0) + (
            f" and {printed(test.df2, 1)}" if np.isfinite(test.df2) else ""
        )
        lines.append(
            f"Test of equality: {test.name} = {printed(test.statistic)} on {freedom} df, "
            f"{p_text(test.p)}."
        )
    lines += [
        f"{treatments[i]} - {treatments[j]}: {signed(d.value)} "
        f"({interval_text(d.ci_low, d.ci_high, sign=True)}), {p_text(d.p)}."
        for (i, j), d in figures.differences.items()
    ]
    return "\n".join(lines)

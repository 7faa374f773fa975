"""Bootstrap of the gain over training cases and judged patients; it repeats the feature choice.

DeLong's interval takes the models as given. But a hundred cases chose their features, other cases
would have chosen others, and the gain may come from one choice. Here training cases and judged
patients are drawn with replacement, models 1 and 3 are chosen and fitted again on the same drawn
patients, and their difference is computed again.

Letters: N training cases, R readers, P judged patients.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.chance import generator
from idhray.errors import IdhrayError
from idhray.stats.bootstrap import Bootstrapped, summary
from idhray.stats.papers.park.judged import JudgedSet
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.papers.park.resampled_choice import CodedCases, chosen_model, coded_cases
from idhray.stats.progress import counted
from idhray.stats.resampling import Rows, resampled_rows
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings

METHOD = "percentile bootstrap of training cases and judged patients, the models chosen anew"
BASELINE, AUGMENTED = 1, 3
FEWEST = 100  # resamples; fewer do not reach the tails


@dataclass(frozen=True, kw_only=True)
class _Study:
    baseline: ReaderModel
    augmented: ReaderModel
    training: CodedCases
    """(N) cases of the augmented model."""
    features: CodedCases
    """(R * P) rows: the judged patients by the first reader, then by the second, and so on."""
    judged: JudgedSet
    settings: StatsSettings


def resampled_gain(
    readings: Readings, models: list[ReaderModel], judged: JudgedSet, settings: StatsSettings
) -> Bootstrapped:
    """Mean-of-readers AUC of model 3 minus that of model 1, over resampled cases and patients.

    Real and synthetic training cases are drawn separately, as many of each kind as there are. The
    judged patients are drawn within their class. The gate of agreement is not repeated.

    Raises:
        SampleError: `optimism_resamples` is below 100, or most resamples have no model.
    """
    if settings.optimism_resamples < FEWEST:
        raise SampleError(
            f"a bootstrap of training cases needs {FEWEST} resamples or more, and "
            f"optimism_resamples is {settings.optimism_resamples}"
        )
    study = _study(readings, models, judged, settings)
    numbers = counted(settings.optimism_resamples, "bootstrap of training cases and patients")
    gains = np.array([_gain(study, number) for number in numbers])
    areas = [
        auc(
            Scored(
                judged.labels,
                np.array([judged.p[name, number] for name in judged.readers]),
            )
        )
        for number in (AUGMENTED, BASELINE)
    ]
    return summary(
        areas[0] - areas[1],
        gains,
        method=METHOD,
        seed=settings.seed,
        null=0.0,
    )


def _study(
    readings: Readings, models: list[ReaderModel], judged: JudgedSet, settings: StatsSettings
) -> _Study:
    by_number = {model.number: model for model in models}
    cases = readings.cases.reset_index().set_index("patient")["case"].loc[list(judged.patients)]
    baseline, augmented = by_number[BASELINE], by_number[AUGMENTED]
    names = sorted({*baseline.univariable, *augmented.univariable})
    features = pd.concat([readings.by_reader[name].loc[cases] for name in judged.readers])
    return _Study(
        baseline=baseline,
        augmented=augmented,
        training=coded_cases(augmented.cases, names),
        features=coded_cases(features, names),
        judged=judged,
        settings=settings,
    )


def _gain(study: _Study, number: int) -> float:
    """The difference on one draw; NaN if a model cannot be fitted or cannot judge the patients."""
    rng = generator(study.settings.seed, "training bootstrap", number)
    cases, labels = study.augmented.cases, study.judged.labels
    real = cases["real"].to_numpy(dtype=bool)
    rows = resampled_rows(real, rng)
    patients = np.concatenate(
        [
            rng.choice(members, len(members))
            for members in (np.flatnonzero(labels == k) for k in (0, 1))
        ]
    )
    try:
        areas = [
            _area(study, model, members, patients)
            for model, members in ((study.augmented, rows), (study.baseline, rows[real[rows]]))
        ]
    except (IdhrayError, np.linalg.LinAlgError):
        return float("nan")
    return round(areas[0] - areas[1], 12)


def _area(study: _Study, model: ReaderModel, rows: Rows, patients: Rows) -> float:
    """Mean AUC over the readers of one model, chosen and fitted on some rows of model 3's cases."""
    truth = study.augmented.cases["label"].to_numpy(dtype=np.int64)[rows]
    if len(set(truth)) < 2:
        raise SampleError("one class only was drawn")
    chosen = chosen_model(study.training, rows, truth, list(model.univariable), study.settings)
    scores = chosen.p_mutant(study.features).reshape(-1, len(study.judged.labels))
    return auc(Scored(study.judged.labels[patients], scores[:, patients]))

"""What other training cases would have made of the gain: a bootstrap that chooses anew each time.

DeLong's interval takes the models as given. But the data chose their features, on a hundred cases;
other cases would have chosen others, and the gain of one fitted pair may be that of one choice.
Here training cases and judged patients are drawn with replacement, models 1 and 3 are chosen and
fitted anew on the same drawn patients, and their difference is taken again.

Letters: N training cases, R readers, P judged patients.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from idhray.chance import generator
from idhray.errors import IdhrayError
from idhray.stats.bootstrap import Bootstrapped, summary
from idhray.stats.papers.park.choice import refit
from idhray.stats.papers.park.judged import Judged
from idhray.stats.papers.park.models import ReaderModel
from idhray.stats.papers.park.readings import Readings
from idhray.stats.resampling import Rows, resampled_rows
from idhray.stats.roc.area import auc
from idhray.stats.sample import SampleError, Scored
from idhray.stats.settings import StatsSettings

METHOD = "percentile bootstrap of training cases and judged patients, the models chosen anew"
BASELINE, AUGMENTED = 1, 3
FEWEST = 100  # resamples; fewer say nothing of a tail


@dataclass(frozen=True, kw_only=True)
class _Study:
    baseline: ReaderModel
    augmented: ReaderModel
    features: pd.DataFrame
    """(R * P) rows: the judged patients by the first reader, by the second, and so on."""
    judged: Judged
    settings: StatsSettings


def resampled_gain(
    readings: Readings, models: list[ReaderModel], judged: Judged, settings: StatsSettings
) -> Bootstrapped:
    """Mean-of-readers AUC of model 3 minus that of model 1, over other cases and patients.

    Real and synthetic training cases are drawn apart, each kind as often as there are cases; the
    judged patients within their class. The gate of agreement stays as it was.

    Raises:
        SampleError: fewer than 100 draws (`optimism_resamples`) are asked for, or most of them
            have no model.
    """
    if settings.optimism_resamples < FEWEST:
        raise SampleError(
            f"a bootstrap of training cases needs {FEWEST} resamples or more, and "
            f"optimism_resamples is {settings.optimism_resamples}"
        )
    study = _study(readings, models, judged, settings)
    found = np.array([_gain(study, number) for number in range(settings.optimism_resamples)])
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
        found,
        method=METHOD,
        seed=settings.seed,
        null=0.0,
    )


def _study(
    readings: Readings, models: list[ReaderModel], judged: Judged, settings: StatsSettings
) -> _Study:
    by_number = {model.number: model for model in models}
    places = readings.cases.reset_index().set_index("patient")["case"].loc[list(judged.patients)]
    return _Study(
        baseline=by_number[BASELINE],
        augmented=by_number[AUGMENTED],
        features=pd.concat([readings.by_reader[name].loc[places] for name in judged.readers]),
        judged=judged,
        settings=settings,
    )


def _gain(study: _Study, number: int) -> float:
    """The difference on one draw; NaN where a model cannot be fitted, or judge the patients."""
    rng = generator(study.settings.seed, "training bootstrap", number)
    cases, labels = study.augmented.cases, study.judged.labels
    real = cases["real"].to_numpy(dtype=bool)
    rows = resampled_rows(real, rng)
    patients = np.concatenate(
        [rng.choice(own, len(own)) for own in (np.flatnonzero(labels == k) for k in (0, 1))]
    )
    try:
        areas = [
            _area(study, model, own, patients)
            for model, own in ((study.augmented, rows), (study.baseline, rows[real[rows]]))
        ]
    except (IdhrayError, np.linalg.LinAlgError):
        return float("nan")
    return round(areas[0] - areas[1], 12)


def _area(study: _Study, model: ReaderModel, rows: Rows, patients: Rows) -> float:
    """Mean over the readers, of one model chosen and fitted on some rows of model 3's cases."""
    own = study.augmented.cases.iloc[rows].reset_index(drop=True)
    truth = own["label"].to_numpy(dtype=np.int64)
    if len(set(truth)) < 2:
        raise SampleError("one class only was drawn")
    fit = refit(list(model.univariable), study.settings)(own, truth)
    scores = fit.p_mutant(study.features).reshape(-1, len(study.judged.labels))
    return auc(Scored(study.judged.labels[patients], scores[:, patients]))

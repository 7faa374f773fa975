"""Search algorithms for Ray Tune that continue from the table of finished trials.

Random: trial n of a fold has the same values however often the search was interrupted. Optuna: the
sampler (TPE) is told all finished trials before it is asked again.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ray.tune.search import Searcher

from idhray.chance import generator, seed_for
from idhray.experiment.search_space import Dimension, SearchSpace, drawn

SearchKind = Literal["optuna", "random"]
NUMBER = "number"
"""Key of the trial's number in its values."""


class TrialSearcher(Searcher):
    """Values of the trials of one fold that are not finished."""

    def __init__(
        self,
        space: SearchSpace,
        finished: Mapping[int, tuple[Mapping[str, Any], float]],
        *,
        kind: SearchKind,
        trials: int,
        fold: int,
        seed: int,
    ) -> None:
        """Args:
        space: Search space.
        finished: Number of a finished trial -> its values and its objective.
        kind: random or optuna.
        trials: Trials of the fold in all.
        fold: Number of the fold.
        seed: Seed of the search.
        """
        super().__init__(metric="objective", mode="max")
        self._open = [number for number in range(1, trials + 1) if number not in finished]
        self._space, self._fold, self._seed = space, fold, seed
        self._study = _study(space, finished, seed_for(seed, "tune", "tpe", fold, len(finished)))
        self._random = kind == "random"
        self._asked: dict[str, Any] = {}

    def suggest(self, trial_id: str) -> Any:
        """Values of the next trial."""
        if not self._open:
            return Searcher.FINISHED
        number = self._open.pop(0)
        if self._random:
            values = drawn(self._space, generator(self._seed, "tune", self._fold, number))
        else:
            self._asked[trial_id] = self._study.ask(distributions(self._space))
            values = dict(self._asked[trial_id].params)
        return {**values, NUMBER: number}

    def close(self) -> None:
        """Suggest no further trial."""
        self._open.clear()

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the sampler how a trial ended."""
        asked = self._asked.pop(trial_id, None)
        if asked is None:
            return
        if error or not result or not math.isfinite(result.get("objective", math.nan)):
            from optuna.trial import TrialState  # noqa: PLC0415 - takes a second to import

            self._study.tell(asked, state=TrialState.FAIL)
        else:
            self._study.tell(asked, result["objective"])

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the table of trials is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""


def distributions(space: SearchSpace) -> dict[str, Any]:
    """The search space as Optuna names it."""
    return {dimension.name: _distribution(dimension) for dimension in space}


def _distribution(dimension: Dimension) -> Any:
    from optuna import distributions as of  # noqa: PLC0415 - takes a second to import

    if dimension.kind == "choice":
        return of.CategoricalDistribution(list(dimension.values))
    low, high = dimension.values
    if dimension.kind == "integer":
        return of.IntDistribution(low, high)
    return of.FloatDistribution(low, high, log=dimension.kind == "log_uniform")


def _study(
    space: SearchSpace, finished: Mapping[int, tuple[Mapping[str, Any], float]], seed: int
) -> Any:
    """Optuna's study with all finished trials."""
    import optuna  # noqa: PLC0415 - takes a second to import

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _, (values, objective) in sorted(finished.items()):
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(values), distributions=distributions(space), value=objective
            )
        )
    return study


def importances(
    space: SearchSpace, finished: Sequence[tuple[Mapping[str, Any], float]], seed: int
) -> dict[str, float]:
    """Setting -> share of the variance of the objective that it explains (fANOVA).

    Empty for fewer than five trials, or if all have one objective.

    Source: Hutter et al. 2014, functional ANOVA, as in Optuna.
    """
    if len(finished) < 5 or len({objective for _, objective in finished}) < 2:
        return {}
    import optuna  # noqa: PLC0415 - takes a second to import

    study = _study(space, dict(enumerate(finished, 1)), seed)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed % 2**32)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))

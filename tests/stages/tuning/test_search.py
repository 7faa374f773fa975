"""Searches that continue: finished trials are told again, and random ones draw the same values."""

import pytest
from ray.tune.search import Searcher

from idhray.experiment.search_space import space_from_text
from idhray.stages.tuning.search import TrialSearcher, importances

SPACE = space_from_text(
    """
[rate]
log_uniform = [1e-5, 1e-1]
[epochs]
integer = [2, 4]
[online]
choice = ["none", "classical"]
""",
    "space.toml",
)


def searcher(finished, kind, trials=6):
    return TrialSearcher(SPACE, finished, kind=kind, trials=trials, fold=1, seed=5)


def all_of(search):
    values = []
    while (suggestion := search.suggest(f"t{len(values)}")) != Searcher.FINISHED:
        values.append(suggestion)
    return values


def test_a_random_search_draws_the_same_trials_after_any_interruption():
    """Trial n depends on seed, fold and n only."""
    unbroken = all_of(searcher({}, "random"))
    finished = {t["number"]: (without_number(t), 0.5) for t in unbroken[1:4]}
    rest = all_of(searcher(finished, "random"))

    assert [t["number"] for t in unbroken] == [1, 2, 3, 4, 5, 6]
    assert rest == [t for t in unbroken if t["number"] not in finished]


def test_a_closed_search_suggests_nothing():
    """Its hours are spent."""
    search = searcher({}, "random")
    search.suggest("a")
    search.close()

    assert search.suggest("b") == Searcher.FINISHED


def without_number(trial):
    return {name: value for name, value in trial.items() if name != "number"}


def test_optuna_learns_from_the_trials_of_earlier_runs():
    """Trials near the best of many finished ones are asked for."""
    finished = {
        n: ({"rate": 10 ** -(1 + 4 * n / 40), "epochs": 3, "online": "none"}, -abs(n - 10.0))
        for n in range(1, 41)
    }
    search = searcher(finished, "optuna", trials=60)
    asked = []
    while (values := search.suggest(f"t{len(asked)}")) != Searcher.FINISHED:
        asked.append(values["rate"])
        search.on_trial_complete(f"t{len(asked) - 1}", {"objective": 0.0})

    assert len(asked) == 20
    near = sum(10**-2.7 < rate < 10**-1.3 for rate in asked)
    assert near > 10


def test_a_failed_trial_teaches_nothing():
    """A training out of memory has no objective."""
    search = searcher({}, "optuna")
    search.suggest("a")
    search.on_trial_complete("a", error=True)
    search.suggest("b")
    search.on_trial_complete("b", {"objective": float("nan")})
    search.on_trial_complete("of nobody", {"objective": 1.0})


def test_importance_is_that_of_the_setting_that_decides():
    """The objective is a function of the rate alone."""
    trials = all_of(searcher({}, "random", trials=40))
    pairs = [(without_number(t), t["rate"]) for t in trials]

    assert importances(SPACE, pairs, 0)["rate"] > 0.9
    assert sum(importances(SPACE, pairs, 0).values()) == pytest.approx(1)
    assert importances(SPACE, pairs[:3], 0) == {}

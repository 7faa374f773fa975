"""The promise of the API: names, signatures, answers, and the page that documents them."""

import inspect
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from idhray.stats import api
from idhray.stats.sample import SampleError

PAGE = Path(__file__).parents[3] / "docs" / "statistics-api.md"
COLUMNS = "patient='patient', label='label', fold='fold', repeat='repeat', arm='arm', "
THRESHOLDS = tuple(percent / 100 for percent in range(5, 100, 5))
SIGNATURES = {
    "arm_trend": f"(frame, counts, *, per=1000.0, {COLUMNS}score='p_mutant')",
    "auc": "(truth, scores)",
    "auc_difference": "(truth, scores, baseline)",
    "bootstrap_auc_difference": "(truth, scores, baseline, *, draws=2000, seed=0)",
    "calibration": "(truth, p_mutant)",
    "chi_square": "(table, *, yates=False)",
    "cohen_kappa": "(first, second, *, levels=None)",
    "compare_arms": "(frame, *, baseline='real', arms=None, margin=0.02, "
    f"{COLUMNS}score='p_mutant')",
    "decision_curve": f"(truth, p_mutant, *, thresholds={THRESHOLDS})",
    "diagnostic_accuracy": "(truth, scores, *, threshold)",
    "fisher_exact": "(table)",
    "fleiss_kappa": "(readings, *, levels=None)",
    "hanley_mcneil": "(area, n_mutant, n_wildtype)",
    "logistic_regression": "(frame, truth, *, numeric=(), categorical=None, method='auto')",
    "mann_whitney": "(x, y, *, method='asymptotic', continuity=False)",
    "mcnemar": "(first_right, second_right, *, method='exact')",
    "mrmc": "(frame, *, reader='reader', treatment='treatment', case='case', truth='truth', "
    "rating='rating', covariance='delong', readers='random', cases='random')",
    "odds_ratio": "(table)",
    "proportion": "(count, n)",
    "reliability": "(truth, p_mutant)",
    "roc_curve": "(truth, scores)",
    "standardized_difference": "(x, y)",
    "stepwise_regression": "(frame, truth, *, numeric=(), categorical=None, rule='lr', alpha=0.05)",
    "table_1": "(frame, *, group, continuous=(), categorical=(), convention='choose', patient='')",
    "welch_t": "(x, y)",
    "youden_threshold": "(truth, scores)",
}


def patients(n=60, seed=0):
    """Patients with labels as words, a probability, a rival, an age and a finding."""
    rng = np.random.default_rng(seed)
    mutant = np.arange(n) % 2
    return pd.DataFrame(
        {
            "idh": np.where(mutant == 1, "mutant", "wildtype"),
            "p": 1 / (1 + np.exp(-(rng.normal(size=n) + 2 * mutant - 1))),
            "rival": rng.uniform(size=n),
            "age": rng.normal(55 - 10 * mutant, 9),
            "margin": np.where(rng.uniform(size=n) < 0.3 + 0.4 * mutant, "clear", "blurred"),
        }
    )


def arms_table(repeats=3):
    """Predictions of two arms in two folds."""
    rng = np.random.default_rng(2)
    rows = [
        {"patient": p, "label": p % 2, "fold": p % 4 // 2, "repeat": r, "arm": arm}
        for p in range(32)
        for r in range(repeats)
        for arm in ("real", "synthetic:400", "synthetic:800")
    ]
    return pd.DataFrame(rows).assign(p_mutant=lambda t: rng.uniform(size=len(t)))


def readings():
    """Two readers, two treatments, eight cases."""
    rng = np.random.default_rng(3)
    rows = [
        {"reader": r, "treatment": t, "case": c, "truth": c % 2}
        for r in "ab"
        for t in ("CT", "MRI")
        for c in range(8)
    ]
    return pd.DataFrame(rows).assign(rating=lambda t: rng.integers(1, 6, size=len(t)))


def answers():
    """An answer of every function of the API."""
    p = patients()
    truth, score, rival = p["idh"], p["p"], p["rival"]
    table = [[12, 5], [3, 14]]
    findings = {"numeric": ["age"], "categorical": {"margin": ["blurred", "clear"]}}
    first = ["yes", "no", "yes", "no", "yes", "no"]
    second = ["yes", "no", "no", "no", "yes", "yes"]
    counts = {"real": 0, "synthetic:400": 400, "synthetic:800": 800}
    right = score.gt(0.5) == truth.eq("mutant"), rival.gt(0.5) == truth.eq("mutant")
    return {
        "arm_trend": api.arm_trend(arms_table(), counts),
        "auc": api.auc(truth, score),
        "auc_difference": api.auc_difference(truth, score, rival),
        "bootstrap_auc_difference": api.bootstrap_auc_difference(truth, score, rival, draws=200),
        "calibration": api.calibration(truth, score),
        "chi_square": api.chi_square(table),
        "cohen_kappa": api.cohen_kappa(first, second),
        "compare_arms": api.compare_arms(arms_table()),
        "decision_curve": api.decision_curve(truth, score),
        "diagnostic_accuracy": api.diagnostic_accuracy(truth, score, threshold=0.5),
        "fisher_exact": api.fisher_exact(table),
        "fleiss_kappa": api.fleiss_kappa(pd.DataFrame({"a": first, "b": second, "c": first})),
        "hanley_mcneil": api.hanley_mcneil(0.9, 18, 16),
        "logistic_regression": api.logistic_regression(p, "idh", **findings),
        "mann_whitney": api.mann_whitney(score, rival),
        "mcnemar": api.mcnemar(*right),
        "mrmc": api.mrmc(readings()),
        "odds_ratio": api.odds_ratio(table),
        "proportion": api.proportion(13, 16),
        "reliability": api.reliability(truth, score),
        "roc_curve": api.roc_curve(truth, score),
        "standardized_difference": api.standardized_difference(score, rival),
        "stepwise_regression": api.stepwise_regression(p, "idh", **findings),
        "table_1": api.table_1(p, group="idh", continuous=["age"], categorical=["margin"]),
        "welch_t": api.welch_t(score, rival),
        "youden_threshold": api.youden_threshold(truth, score),
    }


def plain_signature(function):
    """The signature without types."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def test_names_and_signatures_are_pinned():
    """Other programs call them: a change here breaks a promise."""
    functions = {name for name in api.__all__ if inspect.isfunction(getattr(api, name))}

    assert set(api.__all__) - functions == {"Answer", "MrmcAnswer"}
    assert {name: plain_signature(getattr(api, name)) for name in functions} == SIGNATURES


def test_every_function_documents_itself_and_answers():
    """Each answer has a text and a table; a function without an example here is untested."""
    results = answers()

    assert set(results) == set(SIGNATURES)
    for name, answer in results.items():
        assert "Raises:" in getattr(api, name).__doc__, name
        assert isinstance(answer, api.Answer), name
        assert answer.text, name
        assert answer.summary().startswith(answer.text), name
        assert "nan" not in answer.summary().lower(), name
        assert len(answer.frame()) > 0, name
        assert answer.frame() is not answer.frame(), name


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(["mutant", "wildtype", "mutant", "wildtype"], id="words"),
        pytest.param(["Mutant", "WT", "IDH mutant", "wild-type"], id="other words"),
        pytest.param([1, 0, 1, 0], id="numbers"),
        pytest.param(["1", "0", "1.0", "0.0"], id="text"),
        pytest.param([True, False, True, False], id="truth values"),
        pytest.param(pd.Categorical(["mutant", "wildtype"] * 2), id="categories"),
        pytest.param(np.array([1.0, 0.0, 1.0, 0.0]), id="floats"),
    ],
)
def test_labels_may_be_words_or_numbers(labels):
    """The table of a hospital and the array of a program mean the same."""
    assert api.auc(labels, [0.9, 0.2, 0.4, 0.6]).figures.auc == 0.75


def test_labels_that_mean_nothing_are_refused():
    """A label that is dropped in silence changes the sample."""
    with pytest.raises(SampleError, match="1 of 3 labels are unknown"):
        api.auc(["mutant", "wildtype", None], [1, 2, 3])
    with pytest.raises(SampleError, match="write mutant or wildtype"):
        api.auc(["mutant", "wildtype", "grade 3"], [1, 2, 3])


def test_columns_with_other_indexes_are_refused():
    """Values are paired by position: a sorted column would be paired with other patients."""
    p = patients()

    with pytest.raises(SampleError, match="indexes of two columns differ"):
        api.auc(p["idh"], p["p"].sort_values())


def test_the_page_runs():
    """Code that readers copy must work."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    space: dict[str, object] = {"print": lambda *_: None}
    exec(code, space)

    assert "synthetic:600 - real" in space["answer"].summary()


def test_the_page_lists_every_function():
    """A function that nobody finds is not exported."""
    text = PAGE.read_text()

    assert [name for name in SIGNATURES if f"`{name}`" not in text] == []

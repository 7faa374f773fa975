"""Plans: against published simulations and formulas, brute force, and R."""

import json
import time
from math import comb

import numpy as np
import pytest
from scipy import stats

from idhray.chance import generator
from idhray.errors import ConfigError
from idhray.planning.accuracy import (
    detectable_accuracy,
    fewest_discordant,
    mcnemar_patients,
    mcnemar_power,
    normal_patients,
    one_way_accuracy,
)
from idhray.planning.auc import detectable_auc, patients_needed
from idhray.planning.normal import normal_power
from idhray.planning.printing import plan_summary, plan_text
from idhray.planning.simulation import StudyDesign, auc_power, power_curve, studies_of
from idhray.planning.tables import make_plan, plan_figures
from idhray.stats.roc.area import auc_difference

LIU = {"n_mutant": 18, "n_wildtype": 16}
PARK = {"n_mutant": 11, "n_wildtype": 33}


@pytest.mark.parametrize(
    ("cohort", "auc", "expected"),
    [
        pytest.param(LIU, 0.75, (0.953, 0.911, 0.881), id="Liu 2020, from .75"),
        pytest.param(LIU, 0.80, (0.984, 0.954, 0.927), id="Liu 2020, from .80"),
        pytest.param(PARK, 0.75, (0.954, 0.911, 0.877), id="Park 2021, from .75"),
        pytest.param(PARK, 0.80, (0.981, 0.950, 0.923), id="Park 2021, from .80"),
    ],
)
def test_detectable_auc_is_that_of_another_simulation_of_paired_delong(cohort, auc, expected):
    """Binormal scores correlated .5, .8 and .9; 80% power; figures from a separate program.

    Both err: this one by 0.001 to 0.0015, the other by about as much and its rounding.
    """
    for correlation, value in zip((0.5, 0.8, 0.9), expected, strict=True):
        design = StudyDesign(**cohort, auc=auc, correlation=correlation)
        found = detectable_auc(design)

        assert found.auc == pytest.approx(value, abs=0.005), correlation
        assert 0.0005 < found.mc_error < 0.002
        assert found.studies == 4000


@pytest.mark.parametrize("correlation", [0.5, 0.8, 0.9])
def test_from_092_nothing_up_to_1_is_detectable_in_34_patients(correlation):
    """The published gain, .920 to .927, had a power of 1 to 2%; .99 would have had 15 to 27%."""
    design = StudyDesign(**LIU, auc=0.92, correlation=correlation)
    found = detectable_auc(design)

    assert np.isnan(found.auc)
    assert found.highest_power < 0.3
    assert 0.005 < auc_power(design, 0.927).value < 0.03
    assert 0.14 < auc_power(design, 0.99).value < 0.28


@pytest.mark.parametrize(("correlation", "expected"), [(0.8, 0.88), (0.9, 0.99)])
def test_power_from_092_to_095_with_340_patients_is_that_of_another_simulation(
    correlation, expected
):
    """.88 to .99, ten times the cohort of Liu 2020."""
    found = auc_power(
        StudyDesign(n_mutant=180, n_wildtype=160, auc=0.92, correlation=correlation),
        0.95,
        studies=1500,
    )

    assert found.value == pytest.approx(expected, abs=4 * found.mc_error + 0.005)


def test_a_simulated_study_is_tested_as_the_paired_delong_test_does():
    """The batch of studies, again one by one through `auc_difference`."""
    design = StudyDesign(n_mutant=9, n_wildtype=7, auc=0.75, correlation=0.6)
    rng = generator(3, "planning", 9, 7)
    noise, own = rng.standard_normal((300, 16)), rng.standard_normal((300, 16))
    truth = np.repeat([1, 0], [9, 7])
    old = noise + np.sqrt(2) * stats.norm.ppf(0.75) * truth
    new = 0.6 * noise + 0.8 * own + np.sqrt(2) * stats.norm.ppf(0.93) * truth
    found = [auc_difference(truth, b, a).p < 0.05 for a, b in zip(old, new, strict=True)]

    assert 0 < np.mean(found) < 1
    assert power_curve(design, 300, seed=3)(0.93) == pytest.approx(np.mean(found))


def test_simulated_scores_have_the_auc_and_the_correlation_asked_for():
    """Power against itself is the type I error; a perfect model needs no scores."""
    design = StudyDesign(n_mutant=100, n_wildtype=100, auc=0.85, correlation=0.8)
    found = auc_power(design, 0.85, studies=4000)

    assert found.value == pytest.approx(0.05, abs=4 * found.mc_error)
    assert auc_power(design, 1.0).value == 1.0


def test_the_same_seed_gives_the_same_plan_and_another_one_its_error():
    """20 seeds scatter as the stated Monte Carlo error says."""
    design = StudyDesign(**LIU, auc=0.75)
    found = [detectable_auc(design, studies=500, seed=seed) for seed in range(20)]

    assert found[0] == detectable_auc(design, studies=500, seed=0)
    stated = np.mean([one.mc_error for one in found])
    assert np.std([one.auc for one in found], ddof=1) == pytest.approx(stated, rel=0.5)


def test_patients_needed_reach_the_power_and_fewer_do_not():
    """Simulated anew with another seed; the share of mutants is kept."""
    design = StudyDesign(**LIU, auc=0.92, correlation=0.8)
    needed = patients_needed(design, 0.05)
    again = StudyDesign(n_mutant=needed.n_mutant, n_wildtype=needed.n_wildtype, auc=0.92)

    assert needed.n_mutant / needed.patients == pytest.approx(18 / 34, abs=0.01)
    assert auc_power(again, 0.97, seed=9).value == pytest.approx(0.8, abs=0.03)
    fewer = StudyDesign(n_mutant=needed.n_mutant // 2, n_wildtype=needed.n_wildtype // 2, auc=0.92)
    assert auc_power(fewer, 0.97, seed=9).value < 0.6


def test_patients_needed_and_detectable_gain_are_two_sides_of_one_curve():
    """What is just detectable with n patients needs n patients."""
    design = StudyDesign(n_mutant=60, n_wildtype=90, auc=0.8, correlation=0.8)
    gain = detectable_auc(design, studies=2000).auc - 0.8
    needed = patients_needed(design, gain, studies=2000)

    assert needed.patients == pytest.approx(150, abs=4 * needed.mc_error + 3)


def test_the_closed_formula_is_the_simulation_of_large_cohorts():
    """Where it takes over, it is right to a point or two."""
    design = StudyDesign(n_mutant=1000, n_wildtype=1000, auc=0.8, correlation=0.8)
    simulated = auc_power(design, 0.82, studies=500, scores=10**6)
    formula = normal_power((1000, 1000), (0.8, 0.82), 0.8)

    assert simulated.studies == 500
    assert formula == pytest.approx(simulated.value, abs=4 * simulated.mc_error)
    large = StudyDesign(n_mutant=5000, n_wildtype=5000, auc=0.8)
    assert studies_of(large) == 0
    assert auc_power(large, 0.81).mc_error == 0
    assert auc_power(large, 0.81).value == normal_power((5000, 5000), (0.8, 0.81), 0.8)
    assert patients_needed(large, 0.003).studies == 0


def test_the_closed_variance_is_that_of_areas_by_enumeration():
    """Under equal AUCs and no correlation the formula's variance is twice that of one area."""
    rng = np.random.default_rng(1)
    areas = (rng.normal(size=(20000, 4, 1)) + 1 > rng.normal(size=(20000, 1, 3))).mean((1, 2))
    auc = stats.norm.cdf(1 / np.sqrt(2))
    shift = 0.1 / np.sqrt(2 * areas.var())
    power = stats.norm.sf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift)

    # The new model's area differs a little in variance; so take a gain down and up.
    both = [normal_power((4, 3), (auc, auc + gain), 0.0) for gain in (-0.1, 0.1)]
    assert np.mean(both) == pytest.approx(power, rel=0.02)


@pytest.mark.parametrize(
    ("gain", "discordance", "expected"),
    [
        pytest.param(2 / 34, 0.06, 134, id="Liu 2020, +5.9 points, 6% discordant"),
        pytest.param(2 / 34, 0.20, 452, id="Liu 2020, +5.9 points, 20%"),
        pytest.param(3 / 34, 3 / 34, 87, id="Liu 2020, +8.8 points, for the better only"),
        pytest.param(3 / 34, 0.20, 200, id="Liu 2020, +8.8 points, 20%"),
        pytest.param(3 / 44, 3 / 44, 113, id="Park 2021, +6.8 points, for the better only"),
        pytest.param(3 / 44, 0.20, 336, id="Park 2021, +6.8 points, 20%"),
    ],
)
def test_patients_for_mcnemar_are_those_of_the_normal_approximation(gain, discordance, expected):
    """Connor 1987, for the gains of both papers; the exact test asks for a few more."""
    exact = mcnemar_patients(gain, discordance)

    assert normal_patients(gain, discordance) == expected
    assert expected < exact < 1.1 * expected


@pytest.mark.parametrize("method", ["exact", "mid-P"])
@pytest.mark.parametrize(("gain", "discordance"), [(0.0, 0.2), (0.1, 0.3), (0.25, 0.25)])
def test_mcnemar_power_is_the_sum_over_all_tables(method, gain, discordance):
    """By brute force: every (better, worse, unchanged) of 18 patients with its probability."""
    n, better, worse, power = 18, (discordance + gain) / 2, (discordance - gain) / 2, 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            tail = sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
            p = min(1.0, 2 * tail)
            if method == "mid-P" and b != c:
                p -= comb(b + c, b) / 2 ** (b + c)
            if p <= 0.05:
                same = (1 - discordance) ** (n - b - c)
                power += comb(n, b) * comb(n - b, c) * better**b * worse**c * same

    assert mcnemar_power(n, gain, discordance, method) == pytest.approx(power, abs=1e-12)


def test_six_patients_must_change_for_the_better():
    """Exact P of 6 to 0 is .031, of 5 to 0 .063 (mid-P .031): +17.6 points of 34, +13.6 of 44."""
    assert (fewest_discordant(), fewest_discordant("mid-P")) == (6, 5)
    assert 100 * fewest_discordant() / 34 == pytest.approx(17.6, abs=0.05)
    assert 100 * fewest_discordant() / 44 == pytest.approx(13.6, abs=0.05)
    assert mcnemar_power(5, 1.0, 1.0) == 0
    assert mcnemar_power(6, 1.0, 1.0) == 1


def test_power_for_the_gains_of_both_papers_is_small():
    """+5.9, +8.8 and +6.8 points on their own patients: a few in a hundred."""
    powers = [
        mcnemar_power(n, gain, discordance)
        for n, gain in ((34, 2 / 34), (34, 3 / 34), (44, 3 / 44))
        for discordance in (gain, 0.1, 0.2)
    ]

    assert all(0.01 < power < 0.11 for power in powers)


def test_detectable_accuracy_reaches_its_power_or_is_none():
    """At 20% discordance 34 patients can show nothing; in the best case +22.3 points."""
    found = detectable_accuracy(34, 0.3)

    assert mcnemar_power(34, found, 0.3) == pytest.approx(0.8, abs=1e-4)
    assert np.isnan(detectable_accuracy(34, 0.2))
    best = one_way_accuracy(34)
    assert 1 - stats.binom.cdf(5, 34, best) == pytest.approx(0.8, abs=1e-4)
    assert np.isnan(one_way_accuracy(5))


@pytest.mark.parametrize("method", ["exact", "mid-P"])
def test_patients_for_mcnemar_are_the_fewest_that_suffice(method):
    """One fewer is too few, and all of the next sixty suffice."""
    n = mcnemar_patients(0.1, 0.25, method=method)

    assert mcnemar_power(n - 1, 0.1, 0.25, method) < 0.8
    assert min(mcnemar_power(more, 0.1, 0.25, method) for more in range(n, n + 60)) >= 0.8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: StudyDesign(n_mutant=1, n_wildtype=9, auc=0.8), "two of each"),
        (lambda: StudyDesign(**LIU, auc=0.5), "between 0.5 and 1"),
        (lambda: StudyDesign(**LIU, auc=1.0), "between 0.5 and 1"),
        (lambda: StudyDesign(**LIU, auc=0.8, correlation=1.0), "below 1"),
        (lambda: StudyDesign(**LIU, auc=0.8, alpha=0.7), "alpha"),
        (lambda: auc_power(StudyDesign(**LIU, auc=0.8), 0.7), "from 0.8 to 1"),
        (lambda: detectable_auc(StudyDesign(**LIU, auc=0.8), 0.01), "power must lie"),
        (lambda: patients_needed(StudyDesign(**LIU, auc=0.8), 0.3), "lead to at most 1"),
        (lambda: patients_needed(StudyDesign(**LIU, auc=0.8), 0.0), "lead to at most 1"),
        (lambda: patients_needed(StudyDesign(**LIU, auc=0.8), 1e-6), "over 1000000000 patients"),
        (lambda: mcnemar_power(0, 0.1, 0.2), "needs patients"),
        (lambda: mcnemar_power(34, 0.3, 0.2), "gain of 0.3 is impossible if only 0.2"),
        (lambda: mcnemar_power(34, 0.3, 1.2), "a discordance must"),
        (lambda: mcnemar_patients(0.0, 0.2), "above 0"),
        (lambda: mcnemar_patients(1e-5, 0.2), "more than 1000000"),
        (lambda: normal_patients(0.1, 0.2, power=1.0), "power must lie"),
        (lambda: make_plan(StudyDesign(**LIU, auc=0.8), correlations=()), "needs a correlation"),
    ],
)
def test_nonsense_is_refused(wrong, message):
    """One line that says what was found."""
    with pytest.raises(ConfigError, match=message):
        wrong()


@pytest.fixture(scope="module")
def liu_plan():
    """A plan for the test set of Liu 2020, with few simulated studies."""
    return make_plan(StudyDesign(**LIU, auc=0.92), gains=(0.05,), studies=500)


def test_the_table_says_that_nothing_can_be_shown(liu_plan):
    """The sentence that would have saved the GPU hours."""
    text = plan_text(liu_plan)

    assert "34 test patients (18 mutant, 16 wildtype)" in text
    assert "none: not even a new AUC of 1.000" in text
    assert "At least 6 patients must be called right by the new model alone" in text
    assert "+17.6 points" in text
    assert max(map(len, text.splitlines())) <= 100
    few = plan_text(make_plan(StudyDesign(n_mutant=2, n_wildtype=3, auc=0.9), studies=100))
    assert "6 patients must change to be significant, and there are 5: none can." in few


def test_the_heading_says_simulated_only_where_something_was(liu_plan):
    """Above 4,000 patients the closed formula gives the powers."""
    large = plan_text(make_plan(StudyDesign(n_mutant=3000, n_wildtype=2500, auc=0.75), studies=100))
    small = plan_text(make_plan(StudyDesign(n_mutant=2, n_wildtype=2, auc=0.99), studies=100))

    assert "(paired DeLong test, simulated)" in plan_text(liu_plan)
    assert "(paired DeLong test, by the closed formula; patients needed: simulated)" in large
    assert "whatever it is, the power is below 1%." in small


def test_the_figures_are_plain_json_and_none_stands_for_nothing(liu_plan):
    """NaN is no JSON."""
    figures = json.loads(json.dumps(plan_figures(liu_plan), allow_nan=False))

    assert [one["auc"] for one in figures["detectable_auc"]] == [None] * 3
    assert [one["correlation"] for one in figures["gains"]] == [0.5, 0.8, 0.9]
    assert figures["fewest_discordant"] == {"exact": 6, "mid_p": 5}
    best, tenth, *_ = figures["accuracy"]
    assert best["discordance"] is None
    assert tenth["needed"] == [{"gain": 0.05, "patients": 337}, {"gain": 0.1, "patients": 78}]


def test_without_a_gain_those_below_an_auc_of_1_are_planned_for():
    """From .92, +.02 and +.05, not +.1."""
    made = make_plan(StudyDesign(**LIU, auc=0.92), correlations=(0.9,), studies=100)

    assert [one.gain for one in made.gains] == [0.02, 0.05]


def test_the_summary_is_a_few_lines_and_quick():
    """A study prints it first; a large cohort takes the closed formula."""
    text = plan_summary(18, 16)
    start = time.process_time()
    large = plan_summary(3000, 2500)

    assert "0.75         0.80         0.85         0.90" in text
    assert text.splitlines()[3].split()[-2:] == ["none", "none"]  # from .85 and .90
    assert "none" not in large.split("Accuracy")[0]
    assert time.process_time() - start < 1
    assert max(map(len, text.splitlines())) <= 100

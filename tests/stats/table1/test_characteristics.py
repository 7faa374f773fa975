"""Table 1: every categorical P of Park et al. 2021, and what happens to incomplete columns."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.hypothesis.compare import MANN_WHITNEY_CONTINUITY, WELCH, mann_whitney
from idhray.stats.hypothesis.contingency import FISHER, PEARSON
from idhray.stats.sample import SampleError
from idhray.stats.table1.characteristics import NO_TEST, characteristics
from idhray.stats.table1.choice import compare_counts
from idhray.stats.table1.standardized import standardized_difference
from idhray.stats.table1.summaries import Categorical, Continuous

GROUPS = {
    "wild": "IDH wildtype",
    "real": "IDH mutant",
    "gan": "IDH mutant (GAN)",
}
VALIDATION = {"wild": "IDH wildtype", "real": "IDH mutant"}
TRAINING_PAIRS = [("real", "gan"), ("wild", "real"), ("wild", "gan")]  # P+, P*, P**
# Park et al. 2021, table 1: training wild, real, GAN, then validation wild, mutant.
COUNTS = {
    "enhancement": {
        "rim": (47, 19, 9, 24, 3),
        "nodular": (28, 8, 5, 6, 3),
        "patch": (5, 11, 24, 3, 5),
    },
    "location": {
        "frontal_insula": (29, 25, 25, 16, 8),
        "other": (42, 10, 12, 13, 2),
        "thalamus_brainstem": (9, 3, 1, 4, 1),
    },
    "necrosis": {"yes": (72, 23, 19, 30, 6), "no": (8, 15, 19, 3, 5)},
    "surrounding": {"tumor": (35, 29, 32, 8, 11), "edema": (45, 9, 6, 25, 0)},
    "margin": {"clear": (4, 20, 27, 0, 6), "indistinct": (76, 18, 11, 33, 5)},
}
# P+, P*, P**, P of validation, as R 4.2.2's chisq.test and fisher.test give them.
PEARSON_P = {
    "enhancement": (0.0106079257377337, 0.00276202588390057, 1.67638494217449e-10, 0.0105086604654),
    "location": (0.553823579830759, 0.0100232247014645, 0.00808954140743677, 0.359794507782524),
    "necrosis": (0.356116869982308, 0.000159064145048244, 1.34352366936681e-06, 0.00676874114691),
    "surrounding": (
        0.387255888394677,
        0.00090723626443,
        3.38932975248739e-05,
        1.11809036647461e-05,
    ),
    "margin": (0.0983432156730592, 1.89866260350072e-09, 2.58109986818622e-14, 4.9874376625072e-06),
}
FISHER_P = {
    "enhancement": (0.00930632481034073, 0.0043851362565889, 2.39735523561392e-10, 0.0094933586515),
    "location": (0.686013984460088, 0.00977966094109604, 0.00820245421559521, 0.424537508116547),
    "necrosis": (0.48918765810107, 0.000340303384050323, 3.58401691583623e-06, 0.0156611288055895),
    "surrounding": (0.565472756176503, 0.0013896508497, 2.67796281890412e-05, 9.85508642910799e-06),
    "margin": (0.156020939643068, 7.99909949820439e-09, 7.18687084118385e-14, 6.54478816702e-05),
}
# The columns in which the lowest expected count is below 5 (0 is P+).
BELOW_FIVE = {"enhancement": {3}, "location": {0, 1, 2, 3}, "necrosis": {3}}
BELOW_FIVE |= {"surrounding": {3}, "margin": {3}}
VARIABLES = [
    Categorical(name=name, label=name.capitalize(), levels={level: level for level in levels})
    for name, levels in COUNTS.items()
]
AGE = Continuous(name="age", label="Age (years)")


def close(value):
    """Within 1e-6, relative for what is small."""
    return pytest.approx(value, rel=1e-6, abs=0 if abs(value) < 1e-3 else 1e-6)


def cases_of(columns):
    """A row per case with the counts of these columns of table 1; features in any old order."""
    groups = dict(zip(("wild", "real", "gan"), columns, strict=False))
    parts = []
    for group, column in groups.items():
        features = {
            name: [level for level, counts in levels.items() for _ in range(counts[column])]
            for name, levels in COUNTS.items()
        }
        parts.append(pd.DataFrame(features).assign(group=group))
    return pd.concat(parts, ignore_index=True)


def park_tables(convention):
    """Variable -> the four comparisons of table 1: P+, P*, P** and validation."""
    training = characteristics(
        cases_of((0, 1, 2)),
        VARIABLES,
        group="group",
        groups=GROUPS,
        comparisons=TRAINING_PAIRS,
        convention=convention,
    )
    validation = characteristics(
        cases_of((3, 4)), VARIABLES, group="group", groups=VALIDATION, convention=convention
    )
    return {
        one.variable.name: (*one.comparisons, *other.comparisons)
        for one, other in zip(training, validation, strict=True)
    }


def table(columns, variables, groups=VALIDATION, **options):
    """A table of a few typed cases."""
    return characteristics(
        pd.DataFrame(columns), variables, group="group", groups=groups, **options
    )


@pytest.mark.parametrize("name", COUNTS)
def test_park_convention_gives_every_p_of_table_1(name):
    """20 cells, all Pearson without correction, however low the expected counts are."""
    for found, expected in zip(park_tables("park2021")[name], PEARSON_P[name], strict=True):
        assert found.test.method == PEARSON
        assert found.test.p == close(expected)


@pytest.mark.parametrize("name", COUNTS)
def test_a_chosen_test_is_fisher_where_expected_counts_are_low(name):
    """The same 20 cells as a careful statistician would test them."""
    for column, found in enumerate(park_tables("choose")[name]):
        exact = column in BELOW_FIVE[name]

        assert found.test.method == (FISHER if exact else PEARSON)
        assert found.test.p == close((FISHER_P if exact else PEARSON_P)[name][column])


def test_the_published_p_values_are_those_of_park(reference):
    """The same cells and P values as the list of recomputed ones holds."""
    recomputed = reference("published_park")["table1"]
    found = park_tables("park2021")
    known = [one for comparisons in found.values() for one in comparisons]

    assert len(recomputed) == len(known) == 20
    for one, cell in zip(known, recomputed, strict=True):
        assert one.test.p == close(cell["pearson_P"]), cell["variable"]
        assert compare_counts(cell["counts"], convention="park2021").p == one.test.p


def test_comparisons_are_of_the_named_groups_in_order():
    """P+ is real against synthetic; without a choice, it is every pair."""
    plus, star, star_star = park_tables("park2021")["margin"][:3]
    every = characteristics(cases_of((0, 1, 2)), VARIABLES, group="group", groups=GROUPS)[0]

    assert (plus.first, plus.second) == ("IDH mutant", "IDH mutant (GAN)")
    assert (star.first, star.second) == ("IDH wildtype", "IDH mutant")
    assert (star_star.first, star_star.second) == ("IDH wildtype", "IDH mutant (GAN)")
    assert [(one.first, one.second) for one in every.comparisons] == [
        ("IDH wildtype", "IDH mutant"),
        ("IDH wildtype", "IDH mutant (GAN)"),
        ("IDH mutant", "IDH mutant (GAN)"),
    ]


def test_standardized_differences_stand_beside_p():
    """Margin, wild against real: 5% and 52.6% clear."""
    star = park_tables("park2021")["margin"][1]
    p, q = 4 / 80, 20 / 38
    spread = np.sqrt((p * (1 - p) + q * (1 - q)) / 2)

    assert star.standardized_difference == pytest.approx((q - p) / spread)


def ages(rng, sizes):
    """Normal ages of three groups, the last without any."""
    columns = {"group": [], "age": []}
    for (group, size), mean in zip(sizes.items(), (58, 42, np.nan), strict=False):
        columns["group"] += [group] * size
        columns["age"] += list(rng.normal(mean, 9, size))
    return pd.DataFrame(columns)


def test_synthetic_cases_without_an_age_get_a_dash_and_a_reason():
    """Not an error, and no P; the other pair is compared."""
    cases = ages(np.random.default_rng(0), {"wild": 20, "real": 15, "gan": 9})
    (row,) = characteristics(cases, [AGE], group="group", groups=GROUPS, comparisons=TRAINING_PAIRS)
    plus, star, star_star = row.comparisons

    assert row.groups["IDH mutant (GAN)"].text() == "\u2013"
    assert row.notes == ("IDH mutant (GAN): no values in 9 cases.",)
    for one in (plus, star_star):
        assert one.test.method == NO_TEST
        assert np.isnan([one.test.p, one.standardized_difference]).all()
        assert one.test.notes == ("No values in IDH mutant (GAN): nothing to compare.",)
    assert star.test.method == WELCH
    wild, real = (cases.loc[cases["group"] == name, "age"] for name in ("wild", "real"))
    assert star.standardized_difference == standardized_difference(wild, real)


def test_one_group_that_is_not_normal_decides_for_all_pairs():
    """A row of the table has one test for numbers, and says why."""
    cases = ages(np.random.default_rng(1), {"wild": 60, "real": 20})
    cases = pd.concat([cases, pd.DataFrame({"group": "gan", "age": [30.0] * 15 + [80.0]})])
    (row,) = characteristics(cases, [AGE], group="group", groups=GROUPS)

    assert all(one.test.method.startswith("Mann-Whitney") for one in row.comparisons)
    assert row.notes[0].startswith(
        "Mann-Whitney, as Shapiro-Wilk rejects normality in IDH mutant (GAN)"
    )


def test_park_convention_takes_mann_whitney_for_age():
    """Also of normal ages, and without a sentence on normality."""
    cases = ages(np.random.default_rng(2), {"wild": 33, "real": 11})
    (row,) = characteristics(cases, [AGE], group="group", groups=VALIDATION, convention="park2021")
    wild, real = (cases.loc[cases["group"] == name, "age"] for name in ("wild", "real"))

    assert row.comparisons[0].test.method == MANN_WHITNEY_CONTINUITY
    assert row.comparisons[0].test.p == mann_whitney(wild, real, continuity=True).p
    assert row.notes == ()


def test_missing_values_are_counted_and_left_out():
    """The test is that of the known cases alone; a note tells how many are not."""
    known = {"group": ["wild"] * 12 + ["real"] * 12, "x": ["a", "b"] * 6 + ["a", "a", "b"] * 4}
    more = {
        "group": [*known["group"], "wild", "real", "real"],
        "x": [*known["x"], None, "", np.nan],
    }
    variables = [Categorical(name="x", label="X", levels={"a": "A", "b": "B"})]
    (full,), (holes,) = (table(columns, variables) for columns in (known, more))

    assert holes.comparisons == full.comparisons
    assert holes.groups["IDH mutant"].missing == 2
    assert holes.notes == (
        "IDH wildtype: missing in 1 of 13 cases, left out here.",
        "IDH mutant: missing in 2 of 14 cases, left out here.",
    )


def test_a_level_that_nobody_has_is_named():
    """It stays in the table with 0 cases, and out of the test."""
    levels = {"a": "A", "b": "B", "c": "Gamma"}
    columns = {"group": ["wild"] * 20 + ["real"] * 20, "x": ["a", "b"] * 20}
    (row,) = table(columns, [Categorical(name="x", label="X", levels=levels)])

    assert row.groups["IDH wildtype"].text("c") == "0 (0.0%)"
    assert row.comparisons[0].test.df == 1
    assert row.comparisons[0].test.notes == ("No case has the level Gamma.",)


def test_one_level_only_is_no_comparison():
    """And no difference."""
    columns = {"group": ["wild", "wild", "real"], "x": ["a"] * 3}
    (row,) = table(columns, [Categorical(name="x", label="X", levels={"a": "A", "b": "B"})])
    (one,) = row.comparisons

    assert one.test.method == NO_TEST
    assert one.test.notes == ("All cases of IDH wildtype and IDH mutant have one level.",)
    assert one.standardized_difference == 0


def test_groups_apart_have_no_standardized_difference_but_a_note():
    """A NaN never comes without its reason."""
    columns = {"group": ["wild"] * 9 + ["real"] * 9, "x": ["a"] * 9 + ["b"] * 9}
    (row,) = table(columns, [Categorical(name="x", label="X", levels={"a": "A", "b": "B"})])

    assert np.isnan(row.comparisons[0].standardized_difference)
    assert row.notes[0].startswith("No standardized difference of IDH wildtype and IDH mutant")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"group": "idh"}, "no column idh", id="no group column"),
        pytest.param({"identity": "patient"}, "no column patient", id="no identity"),
        pytest.param({"groups": {"wild": "W"}}, "2 or more groups", id="one group"),
        pytest.param({"groups": {"wild": "W", "real": "W"}}, "a label each", id="one label twice"),
        pytest.param(
            {"groups": {"wild": "W", "gan": "G"}}, "1 cases with group 'real'", id="third"
        ),
        pytest.param({"groups": GROUPS}, "no case with group 'gan'", id="empty group"),
        pytest.param({"comparisons": [("wild", "gan")]}, "compares 'gan'", id="unknown pair"),
        pytest.param({"convention": "yates"}, "no convention 'yates'", id="convention"),
        pytest.param({"identity": "case"}, "case 'P1' comes more than once", id="twice"),
    ],
)
def test_what_is_no_table_1_is_refused(changes, message):
    """One line: where, what was found, what to do."""
    cases = pd.DataFrame(
        {"group": ["wild", "wild", "real"], "age": [50, 60, 40], "case": ["P1", "P1", None]}
    )
    with pytest.raises(SampleError, match=message) as refusal:
        characteristics(cases, [AGE], **({"group": "group", "groups": VALIDATION} | changes))

    assert "\n" not in str(refusal.value)


def test_cases_without_a_name_are_not_the_same_case():
    """Synthetic cases have no patient."""
    cases = pd.DataFrame(
        {"group": ["wild", "real", "real"], "age": [50, 60, 40], "patient": ["P1", None, None]}
    )
    (row,) = characteristics(cases, [AGE], group="group", groups=VALIDATION, identity="patient")

    assert row.groups["IDH mutant"].n == 2

"""Kappas against R and closed forms; the gate; what is discordant, and its consensus."""

import numpy as np
import pandas as pd
import pytest

from idhray.stats.readers.agreement import (
    by_case,
    discordant_readings,
    feature_agreement,
    gate_table,
    passes_gate,
    with_consensus,
)
from idhray.stats.readers.kappa import kappa_of_table, strength
from idhray.stats.readers.kappa_readings import cohen, fleiss
from idhray.stats.sample import SampleError

# A simulated table of enhancement patterns (rim, nodular, patch); kappa, ASE and ASE0 by R 4.2.2
# with vcd 1.4-11.
TABLE = [[79, 8, 5], [11, 41, 3], [11, 5, 37]]
LEVELS = ["rim", "nodular", "patch"]
BY_R = (0.660789650140023, 0.0456848892997807, 0.050684828967424)
# Fleiss' kappa on ten cases and 14 raters, known as 0.210 (Wikipedia, "Fleiss' kappa").
TEN_CASES = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def spelled_out(table, levels):
    """The readings behind a table of counts, one row per case."""
    rows = [
        (levels[i], levels[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        for _ in range(count)
    ]
    index = [f"P{number:03d}" for number in range(len(rows))]
    return pd.DataFrame(rows, columns=["ann", "bob"], index=index)


def kappa_of(table, levels=()):
    """Cohen's kappa of a table of counts, for readers ann and bob."""
    names = levels or tuple(map(str, range(len(table))))
    return kappa_of_table(table, levels=names, readers=("ann", "bob"))


def long_form(**columns):
    """Readings as rows: one list of readings per reader, cases A, B, C and so on."""
    return pd.DataFrame(
        [
            {"case": chr(65 + number), "reader": reader, "margin": reading}
            for reader, readings in columns.items()
            for number, reading in enumerate(readings)
        ]
    )


def test_kappa_its_errors_interval_and_p_are_those_of_r(reference):
    """vcd's Kappa and the formulas of Fleiss, Cohen and Everitt: CI by ASE, P by ASE0."""
    for case in (case for case in reference("kappa") if case["weights"] == "none"):
        found = kappa_of(case["table"])

        assert found.kappa == pytest.approx(case["kappa"], abs=1e-6), case["id"]
        assert found.se == pytest.approx(case["ase"], abs=1e-6), case["id"]
        assert found.se_null == pytest.approx(case["ase0"], abs=1e-6), case["id"]
        assert (found.ci_low, found.ci_high) == pytest.approx(case["ci_ase"], abs=1e-6)
        assert found.test.statistic == pytest.approx(case["z_ase0"], abs=1e-6), case["id"]
        assert found.test.p == pytest.approx(case["p_ase0"], rel=1e-6), case["id"]
        assert found.observed == pytest.approx(case["po"], abs=1e-6), case["id"]
        assert found.expected == pytest.approx(case["pe"], abs=1e-6), case["id"]


def test_kappa_and_its_errors_are_those_of_r_vcd():
    """One vector of the above, here for those who have no reference folder."""
    found = kappa_of(TABLE)

    assert (found.kappa, found.se, found.se_null) == pytest.approx(BY_R, abs=1e-9)
    half = 1.959963984540054 * found.se
    assert found.ci_high - found.kappa == pytest.approx(half, abs=1e-9)
    assert found.name.endswith("unweighted")


def test_kappa_of_two_levels_is_its_closed_form():
    """2 (ad - bc) / ((a + b)(b + d) + (a + c)(c + d))."""
    a, b, c, d = 40, 9, 6, 45
    expected = 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))

    assert kappa_of([[a, b], [c, d]]).kappa == pytest.approx(expected)


def test_readings_give_the_kappa_of_their_table():
    """The order of cases is nothing, the order of levels is that given."""
    readings = spelled_out(TABLE, LEVELS).sample(frac=1, random_state=0)
    found = cohen(readings, levels=LEVELS)

    assert found.table == tuple(map(tuple, TABLE))
    assert found.kappa == pytest.approx(BY_R[0])
    assert (found.readers, found.n, found.missing) == (("ann", "bob"), 200, 0)
    with pytest.raises(SampleError, match="'patch' is not among the levels"):
        cohen(readings, levels=["rim", "nodular"])


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (-0.001, "no agreement"),
        (0.0, "slight"),
        (0.2, "slight"),
        (0.204, "slight"),
        (0.205, "fair"),
        (0.56, "moderate"),
        (0.61, "substantial"),
        (0.67, "substantial"),
        (0.81, "almost perfect"),
        (1.0, "almost perfect"),
        (float("nan"), "undefined"),
    ],
)
def test_words_are_those_park_2021_prints(value, word):
    """On this scale the paper's .67, .67 and .65 are substantial, not `moderate` as it says."""
    assert strength(value) == word


def test_kappa_is_undefined_where_both_readers_say_one_thing_only():
    """0/0; the agreement of 100% is chance alone."""
    found = kappa_of([[30, 0], [0, 0]], levels=["no", "yes"])

    assert np.isnan([found.kappa, found.ci_low, found.test.p]).all()
    assert "'no' only: kappa is undefined" in found.notes[0]
    assert not passes_gate(found.kappa)
    assert found.test.notes


def test_a_reader_without_variation_makes_kappa_zero_and_p_undefined():
    """The classical paradox: 90% agreement, kappa 0."""
    found = kappa_of([[27, 3], [0, 0]], levels=["no", "yes"])

    assert found.kappa == 0
    assert np.isnan(found.test.p)
    assert found.notes[0].startswith("ann gave 'no' only: kappa is 0")


def test_perfect_agreement_says_that_its_interval_is_one_point():
    """The asymptotic standard error is 0 there, and means nothing."""
    found = kappa_of([[20, 0], [0, 10]])

    assert (found.kappa, found.ci_low, found.ci_high) == pytest.approx((1, 1, 1))
    assert "one point" in found.notes[0]
    assert found.test.p < 0.001


def test_an_interval_past_one_is_left_as_r_gives_it_and_said():
    """Clipped it would no longer be kappa +- 1.96 ASE."""
    found = kappa_of([[10, 1], [0, 4]])

    assert found.ci_high > 1
    assert "passes 1" in found.notes[0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1, 2, 3], [4, 5, 6]], "square"),
        ([[1, -2], [3, 4]], "negative"),
        ([[1, 0.5], [3, 4]], "broken"),
        ([[0, 0], [0, 0]], "empty"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(table, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        kappa_of(table)


def test_missing_readings_are_left_out_counted_and_named():
    """Never silently: a case read by one reader says nothing of agreement."""
    rows = long_form(ann=["yes", "no", "yes", None, "no"], bob=["yes", "no", "", "no", "yes"])
    found = cohen(by_case(rows, "margin"))

    assert (found.n, found.missing) == (3, 2)
    assert "2 of 5 cases lack a reading and are left out: C (bob), D (ann)." in found.notes


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(long_form(ann=["yes", "no"]), "two readers", id="one reader"),
        pytest.param(
            pd.concat([long_form(ann=["yes"], bob=["no"])] * 2), "case A was read twice", id="twice"
        ),
        pytest.param(
            long_form(ann=["yes"], bob=["no"]).drop(columns="case"), "no column case", id="column"
        ),
        pytest.param(
            long_form(ann=["yes"], bob=["no"]).assign(case=None), "name no case", id="nameless"
        ),
        pytest.param(long_form(ann=["yes", None], bob=[None, "no"]), "no case was read", id="none"),
    ],
)
def test_readings_that_cannot_be_paired_are_refused(rows, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        feature_agreement(rows, "margin")


def test_fleiss_kappa_is_that_of_the_well_known_ten_cases():
    """0.210, with 14 raters and five categories."""
    rows = [np.repeat(list("abcde"), counts) for counts in TEN_CASES]
    found = fleiss(pd.DataFrame(rows))

    assert found.kappa == pytest.approx(0.210, abs=0.0005)
    assert (found.observed, found.expected) == pytest.approx((0.378, 0.213), abs=0.0005)
    assert found.n == 10
    assert "No interval" in found.notes[-1]


def test_fleiss_standard_error_is_the_spread_of_kappa_between_guessing_readers():
    """Fleiss, Nee and Landis 1979; 4000 times 60 cases and three readers who guess."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(3, size=(4000, 60, 3), p=[0.6, 0.3, 0.1])
    counts = (drawn[..., None] == np.arange(3)).sum(axis=2)  # (4000, 60, levels)
    observed = ((counts**2).sum(axis=2) - 3).mean(axis=1) / 6
    expected = ((counts.sum(axis=1) / 180) ** 2).sum(axis=1)
    kappas = (observed - expected) / (1 - expected)
    found = fleiss(pd.DataFrame(drawn[0]).astype(str))

    assert found.kappa == pytest.approx(kappas[0])
    assert found.se_null == pytest.approx(kappas.std(), rel=0.1)
    two = fleiss(pd.DataFrame([["a", "a", "b"], ["b", "b", "b"], ["a", "b", "a"]]))
    assert two.se_null == pytest.approx(np.sqrt(2 / (3 * 3 * 2)))  # two levels: closed form


def test_three_readers_give_three_pairs_and_fleiss():
    """The gate then looks at all of them together."""
    rows = long_form(ann=list("yynnyn"), bob=list("yynyyn"), cyd=list("yynnnn"))
    found = feature_agreement(rows, "margin")

    assert [pair.readers for pair in found.pairs] == [
        ("ann", "bob"),
        ("ann", "cyd"),
        ("bob", "cyd"),
    ]
    assert found.overall.name == "Fleiss' kappa, 3 readers"
    assert np.isnan(fleiss(pd.DataFrame([["a", "a", "a"]] * 4)).kappa)


def test_the_gate_is_not_tripped_by_rounding():
    """2, 1, 2 and 19 cases make a kappa of exactly one half, in floats 0.4999999999999998."""
    half = kappa_of([[2, 1], [2, 19]]).kappa

    assert half == pytest.approx(0.5)
    assert passes_gate(half)
    assert not passes_gate(0.4999)
    assert passes_gate(0.4, minimum=0.4)


def test_the_gate_table_gives_every_feature_its_reason():
    """A passing kappa whose interval begins lower is said to be no sure thing."""
    close = feature_agreement(long_form(ann=list("yyyynnnn"), bob=list("yyynnnny")), "margin")
    apart = feature_agreement(long_form(ann=list("yynn"), bob=list("ynny")), "margin")
    alike = feature_agreement(long_form(ann=list("nnn"), bob=list("nnn")), "margin")
    table = gate_table([close, apart, alike])

    assert list(table["passes"]) == [True, False, False]
    assert table["reason"][0].startswith("kappa 0.500 >= 0.5, but its interval begins at")
    assert table["reason"][1] == "kappa 0.000 < 0.5"
    assert table["reason"][2].startswith("kappa is undefined")
    assert "kappa is undefined" in table["notes"][2]


def test_discordant_cases_are_listed_for_consensus():
    """Also a case that one reader left out, since nobody agreed on it."""
    rows = long_form(bob=["clear", "clear", "indistinct", ""], ann=["clear", "indistinct"] * 2)
    rows["necrosis"] = "yes"
    found = discordant_readings(rows, ["necrosis", "margin"])

    assert found.to_dict("list") == {
        "case": ["B", "C", "D"],
        "feature": ["margin"] * 3,
        "reader1": ["indistinct", "clear", "indistinct"],
        "reader2": ["clear", "indistinct", None],
    }
    assert discordant_readings(rows, ["necrosis"]).empty


def settled(*rows):
    return pd.DataFrame(rows, columns=["case", "feature", "consensus"])


def test_consensus_settles_what_is_discordant_and_nothing_else():
    """One row per case; where readers agree, what they said."""
    rows = long_form(ann=["clear", "clear", "indistinct"], bob=["clear", "indistinct", "clear"])
    decided = settled(("B", "margin", "indistinct"), ("C", "margin", "clear"))
    table = with_consensus(rows, ["margin"], decided)

    assert table.to_dict("list") == {
        "case": ["A", "B", "C"],
        "margin": ["clear", "indistinct", "clear"],
    }
    # A consensus that repeats what all said does no harm.
    repeated = pd.concat([decided, settled(("A", "margin", "clear"))])
    assert with_consensus(rows, ["margin"], repeated).equals(table)


@pytest.mark.parametrize(
    ("decided", "message"),
    [
        pytest.param(
            settled(("B", "margin", "")),
            r"2 of 2 discordant readings have no consensus: B \(margin\), C \(margin\)",
            id="missing",
        ),
        pytest.param(
            settled(("B", "margin", "clear"), ("C", "margin", "claer")), "'claer'", id="misspelt"
        ),
        pytest.param(
            settled(("B", "margin", "clear"), ("C", "margin", "clear"), ("C", "margin", "clear")),
            "two rows",
            id="twice",
        ),
        pytest.param(
            settled(
                ("A", "margin", "indistinct"), ("B", "margin", "clear"), ("C", "margin", "clear")
            ),
            "all readers said 'clear'",
            id="against all",
        ),
        pytest.param(
            settled(("B", "margin", "clear"), ("C", "margin", "clear"), ("Z", "margin", "clear")),
            r"Z \(margin\): nobody",
            id="stranger",
        ),
        pytest.param(pd.DataFrame({"case": ["B"]}), "no column feature, consensus", id="columns"),
    ],
)
def test_a_consensus_with_gaps_or_slips_is_refused(decided, message):
    """The first cases are named, so that somebody can settle them."""
    rows = long_form(ann=["clear", "clear", "indistinct"], bob=["clear", "indistinct", "clear"])

    with pytest.raises(SampleError, match=message):
        with_consensus(rows, ["margin"], decided)


def test_a_third_value_is_a_consensus_only_if_it_is_a_known_level():
    """Readers may settle on what neither said at first, but not on a word nobody defined."""
    rows = long_form(ann=["rim"], bob=["nodular"])
    decided = settled(("A", "margin", "patch"))

    with pytest.raises(SampleError, match="not one of nodular, rim"):
        with_consensus(rows, ["margin"], decided)
    levels = {"margin": ["rim", "nodular", "patch"]}
    table = with_consensus(rows, ["margin"], decided, levels=levels)
    assert table["margin"].tolist() == ["patch"]

"""Readers of single cells: what is read, what is unknown and what is refused."""

import pytest

from idhray.cohorts.values.age import age_value, unit_of_header
from idhray.cohorts.values.cell_value import is_unknown
from idhray.cohorts.values.idh import header_meanings, idh_value, yes_meaning
from idhray.cohorts.values.numbers import mpp_value, power_value
from idhray.cohorts.values.words import grade_value, sex_value, split_value

MUTANT = """
Mutant|MUT|mut.|mutated (NOS)|IDH-mutant, NEC|mutant (maf)|Mutant (R132H)|IDH mutation
IDH1 R132H|IDH1-R132H|idh1_r132h|IDH1:p.R132H|p.(Arg132His)|IDH1 p.Arg132His|IDH2 p.Arg172Lys
R132H mutant|R132H-positive|IDH1 c.395G>A|c.515G>A (p.R172K)|IDH2 R172K|R132C mutation
Mutation detected|IDH mutation: present|Astrocytoma, IDH-mutant, CDKN2A/B deleted|IDH-mutant (2016)
IDH-mutant (R132H), 1p/19q intact|IDHmut|IDHmut-non-codel|IDHmut-codel|IDH1/2 mutant|IDH1 mutated
Astrocytoma, IDH-mutant|Astrocytoma, IDH-mutant, CNS WHO grade 4|Glioblastoma, IDH-mutant
Oligodendroglioma, IDH-mutant and 1p/19q-codeleted|IDH1 wildtype, IDH2 mutant|IDH1 WT / IDH2 R172K
"""
WILDTYPE = """
WT|wt|WILDTYPE|Wild type|wild-type|Wild_Type|WT (maf)|IDH-wildtype|IDHwt|IDH1/2 wildtype
GBM, IDH-wildtype|Glioblastoma, IDH-wildtype|Glioblastoma, IDH wild type, grade 4|IDH1 wt, IDH2 wt
"""
UNKNOWN = """
|NA|n/a|N/A|nan|NaN|None|unknown|UNK|not tested|Not Available|[Not Available]|[Not Evaluated]|n.d.
unknown/not tested|NOS/NEC|indeterminate|?|--|'--|-
NOS|NEC|Glioblastoma, NOS|not reported|#N/A|<NA>|Not_Done|inconclusive
"""
REFUSED = """
1|0|yes|no|positive|negative|true|R132H not detected|IDH1 R132H negative|mutation: none|no mutation
mutation not detected|not mutant|non-mutant|unmutated|likely mutant|mutant?|mutant/wildtype
mutant or wildtype|R132R|p.Arg132=|p.Arg132Arg|IDH2 R132H|IDH1 R172K|R132*|Glioblastoma|maybe|0.43
IDH1 R132X|IDH positive|H3K27M mutant|wildtype, R132H|G34R|codeleted|IDH
"""


def cells(text):
    return [cell for line in text.strip("\n").split("\n") for cell in line.split("|")]


@pytest.mark.parametrize("cell", cells(MUTANT))
def test_a_mutant_is_read_in_every_spelling(cell):
    """As pathologists, sequencing reports, cohorts and the WHO write it."""
    assert (idh_value(cell).text, idh_value(cell).problem) == ("mutant", "")


@pytest.mark.parametrize("cell", cells(WILDTYPE))
def test_a_wildtype_is_read_in_every_spelling(cell):
    """As pathologists, cohorts and the WHO write it."""
    assert (idh_value(cell).text, idh_value(cell).problem) == ("wildtype", "")


@pytest.mark.parametrize("cell", cells(UNKNOWN))
def test_an_absent_status_is_unknown_and_no_problem(cell):
    """Every program has its own word for nothing."""
    assert (idh_value(cell).text, idh_value(cell).problem) == ("", "")


@pytest.mark.parametrize("cell", cells(REFUSED))
def test_a_status_of_doubtful_meaning_is_refused(cell):
    """A negation begins like a mutant, 1 may count alleles, R132R changes no protein."""
    assert idh_value(cell).text == ""
    assert "write mutant, wildtype" in idh_value(cell).problem


def test_codes_are_read_by_the_choice_of_the_user():
    """Only the user knows what 1 means; 1, 1.0 and " 1 " are one code."""
    meanings = {"1": "mutant", "0": "wildtype", "NOS": "unknown", "maybe": "unknown"}

    assert [idh_value(cell, meanings).text for cell in ("1", "1.0", " 1 ", "0", "0,0")] == [
        "mutant",
        "mutant",
        "mutant",
        "wildtype",
        "wildtype",
    ]
    assert idh_value("maybe", meanings).problem == ""
    assert idh_value("2", meanings).problem != ""
    assert idh_value("mutant", {"mutant": "wildtype"}).text == "wildtype"


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("IDH", ""),
        ("idh_mutant", "mutant"),
        ("idhMutated", "mutant"),
        ("IDH mutation status", "mutant"),
        ("IDH wild-type", "wildtype"),
        ("IDH_WT", "wildtype"),
        ("IDH mut/wt", ""),
        ("IDH1 R132H mutation", ""),
        ("IDH1 mutation (IHC)", ""),
    ],
)
def test_a_header_may_say_what_yes_means(header, meaning):
    """`IDH mutated: no` is a wildtype; `R132H: no` may be R132C."""
    assert yes_meaning(header) == meaning
    other = {"mutant": "wildtype", "wildtype": "mutant", "": ""}[meaning]
    assert [idh_value(cell, yes_means=meaning).text for cell in ("yes", "0")] == [meaning, other]


@pytest.mark.parametrize(
    ("header", "meanings"),
    [
        ("IDH (1=mutant, 0=wildtype)", {"1": "mutant", "0": "wildtype"}),
        ("IDH [0: WT; 1: mutated; 9: unknown]", {"0": "wildtype", "1": "mutant", "9": "unknown"}),
        ("IDH, mutant=2, wild-type = 1", {"2": "mutant", "1": "wildtype"}),
        ("IDH_mutation", {}),
        ("IDH", {}),
    ],
)
def test_a_header_may_explain_its_codes(header, meanings):
    """Data dictionaries are often written into the header."""
    assert header_meanings(header) == meanings


@pytest.mark.parametrize(
    ("cell", "age", "censored"),
    [
        ("43", "43", False),
        ("43.0", "43", False),
        ("43.25", "43.25", False),
        ("43,5", "43.5", False),
        ("43 years", "43", False),
        ("43y", "43", False),
        ("043Y", "43", False),
        ("43 y/o", "43", False),
        ("43 years old", "43", False),
        ("018M", "1.5", False),
        ("516 months", "43", False),
        ("15706 days", "43", False),
        ("89+", "89", True),
        ("90+", "90", True),
        (">89", "90", True),
        ("> 89 years", "90", True),
        ("over 89", "90", True),
        ("≥90", "90", True),
        (">=90", "90", True),
        ("90 or older", "90", True),
        ("90 years and over", "90", True),
        ("NA", "", False),
        ("[Not Available]", "", False),
    ],
)
def test_ages_are_read_in_years(cell, age, censored):
    """Privacy rules cap ages at 89; other programs write units."""
    value = age_value(cell)

    assert (value.text, value.censored, value.problem) == (age, censored, "")


@pytest.mark.parametrize(
    "cell", ["40-49", "15842", "-3", "121", ">60", "<18", "forty", "1e1", "43 weeks", "4 3", "43;"]
)
def test_other_ages_are_refused(cell):
    """A range, a class of ages or days without a unit is no age in years."""
    assert age_value(cell).problem
    assert age_value(cell).text == ""


def test_a_header_may_give_the_unit_of_ages():
    """GDC writes days."""
    assert age_value("15706", unit_of_header("age at diagnosis (days)")).text == "43"
    assert age_value("516", unit_of_header("Age_months")).text == "43"
    assert age_value("43 years", "days").text == "43"
    assert unit_of_header("age_at_index") == "years"


@pytest.mark.parametrize(
    ("grade", "spellings"),
    [
        ("2", "2|II|ii|G2|G 2|Grade 2|grade_2|2.0|2,0|WHO grade 2|WHO II|CNS WHO grade 2|WHO°II"),
        ("4", "4|IV|G4|grade IV|WHO CNS5 grade 4|4 (2021)|WHO 2016 grade IV|Grade: 4|CNS5 G4"),
        ("", "|NA|Grade NA|unknown|GX|GB|[Not Available]"),
    ],
)
def test_grades_are_read_in_every_spelling(grade, spellings):
    """Grades as numbers, Roman numbers and floats of pandas."""
    for cell in spellings.split("|"):
        assert (grade_value(cell).text, grade_value(cell).problem) == (grade, ""), cell


@pytest.mark.parametrize("cell", ["II-III", "2/3", "2-3", "5", "0", "V", "high grade", "LGG", "24"])
def test_a_range_of_grades_is_refused(cell):
    """In one run, every grade was lost without a word."""
    assert grade_value(cell).problem


def test_sex_and_split_have_one_word_each():
    """Two exports of one table differ in spelling only."""
    assert {sex_value(cell).text for cell in ("M", "m", "male", "MALE", " Male ")} == {"M"}
    assert {sex_value(cell).text for cell in ("F", "female", "Woman")} == {"F"}
    assert sex_value("unknown").problem == ""
    assert all(sex_value(cell).problem for cell in ("banana", "1", "M/F"))
    assert {split_value(cell).text for cell in ("Train", "training set", "TRAINING")} == {"train"}
    assert {split_value(cell).text for cell in ("val", "Validation", "validation cohort")} == {
        "val"
    }
    assert split_value("Test").text == "test"
    assert split_value("external").problem


def test_resolution_and_power_are_numbers_with_or_without_units():
    """A decimal comma, `um` and `x` do not change a number; zero and infinity are none."""
    assert [mpp_value(cell).text for cell in ("0.25", "0,25", "0.25 um/px", "nan")] == [
        "0.25",
        "0.25",
        "0.25",
        "",
    ]
    assert [power_value(cell).text for cell in ("20", "20x", "X20", "20.0")] == [
        "20",
        "20",
        "20",
        "20.0",
    ]
    assert all(mpp_value(cell).problem for cell in ("0", "inf", "20", "a", "1e400"))
    assert power_value("0").problem


def test_words_for_nothing_are_known_with_brackets_and_quotes():
    """TCGA, the GDC, pandas, R and spreadsheets each have one."""
    for cell in ("'--", "[Not Available]", "(unknown)", "<NA>", "#N/A", " not_reported ", "N.A."):
        assert is_unknown(cell), cell
    assert not is_unknown("0")

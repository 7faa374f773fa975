"""Whose an image is."""

import pytest

from idhray.errors import ConfigError, ManifestError
from idhray.exchange.patients import People, checked_pattern

PEOPLE = People.of(
    {"TCGA-HT-7603-01Z-00-DX3.8b2e": "TCGA-HT-7603", "s_1": "P1", "s": "P2", "P3": "P1"},
    {"TCGA-HT-7603", "C3L-00016", "P1", "P2", "P3"},
)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("a/TCGA-HT-7603-01Z-00-DX3.8b2e_x1_y2.png", "TCGA-HT-7603"),
        ("TCGA-HT-7603-01A-01-TS1_4.png", "TCGA-HT-7603"),
        ("C3L-00016-21_0_0.jpg", "C3L-00016"),
        ("C3L-000161_0.jpg", None),
        ("s_1_x3.png", "P1"),
        ("s_2_x3.png", "P2"),
        ("deep/P2/class/0001.png", "P2"),
        ("P1/P2/0001.png", "P2"),
        ("P3/0001.png", None),
        ("P1-3_0.png", None),
        ("P1 3_0.png", None),
        ("P1-a.png", None),
        ("P1_3.png", "P1"),
        ("P1 (2).png", "P1"),
        ("s_1-2_0.png", None),
        ("P2/P1-3_0.png", "P2"),
        ("TCGA-HT-7603-4.png", "TCGA-HT-7603"),
        ("tumour/0001.png", None),
    ],
)
def test_the_longest_known_beginning_decides(name, patient):
    """`s` is a slide, and so is `s_1`; P3 is a slide of P1 and a patient, and so nobody.

    P1-3 may be a patient that the manifest lacks; a barcode of TCGA has one length.
    """
    assert PEOPLE.patient(name, {}, None) == patient


@pytest.mark.parametrize(
    ("said", "patient"),
    [
        ({"patient": "P2", "slide": "s"}, "P2"),
        ({"patient": "P2", "slide": "stranger"}, "P2"),
        ({"patient": "stranger", "slide": "s"}, None),
        ({"slide": "s-2"}, None),
        ({"patient": "stranger"}, None),
        ({"slide": "s_1"}, "P1"),
        ({"slide": "C3L-00016-21"}, "C3L-00016"),
        ({"slide": "stranger"}, None),
    ],
)
def test_what_a_file_says_stands_above_its_name(said, patient):
    """A patient that it names and that the manifest lacks is not guessed from the name."""
    assert PEOPLE.patient("P2/0.png", said, None) == patient


@pytest.mark.parametrize("slide", ["s", "s_x", "P2"])
def test_a_patient_with_the_slide_of_another_one_is_refused(slide):
    """One of the two is wrong, and may be in another set."""
    with pytest.raises(ManifestError, match=f"a.png says patient P1 and slide {slide}, which is"):
        PEOPLE.patient("a.png", {"patient": "P1", "slide": slide}, None)


def test_a_pattern_stands_above_both():
    """The user knows the names."""
    assert PEOPLE.patient("x-s_1-P2.png", {"patient": "P3"}, r"-(P\d)\.") == "P2"
    assert PEOPLE.patient("other.png", {"patient": "P1"}, r"-(P\d)\.") is None


@pytest.mark.parametrize(("pattern", "reason"), [("(", "no regular"), ("P1", r"in \(...\)")])
def test_a_pattern_that_is_none_is_refused(pattern, reason):
    """Before any image is read."""
    with pytest.raises(ConfigError, match=reason):
        checked_pattern(pattern)
    assert checked_pattern(None) is None

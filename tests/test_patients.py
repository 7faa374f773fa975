"""Canonical keys of patients."""

import unicodedata

import pytest

from idhray.errors import LeakageError
from idhray.patients import patient_key, refuse_twins_across, same_patients, shown, twins

SPELLINGS = {
    "tcga": ("TCGA-XX-0099", "tcga_xx_0099-01A", "TCGA.XX.0099", "TCGA-XX-0099-01Z-00-DX1.8A9F"),
    "tcga mri": ("TCGA_CS_4941_19960909", "TCGA-CS-4941"),
    "full width": ("\uff34\uff23\uff27\uff21-XX-0099", "TCGA-XX-0099"),
    "cptac": ("C3L-00016", "C3L-00016-21", "c3l_00016-22"),
    "ucsf": ("UCSF-PDGM-004", "UCSF-PDGM-0004", "UCSF-PDGM-0004_FU003d", "UCSF-PDGM-0004_nifti"),
    "upenn": ("UPENN-GBM-00001_11", "UPENN-GBM-00001_21"),
    "brats 2021": ("BraTS2021_00001", "BraTS2021_00001_2", "BraTS-GLI-00001-000"),
    "brats 2023": ("BraTS-GLI-00005-000", "BraTS-GLI-00005-100"),
    "brats 2020": ("BraTS20_Training_001", "BraTS20_Training_1"),
    "brats 2018": ("Brats18_TCIA08_167_1", "BraTS19_TCIA08_167_1"),
    "uuid": ("a1970c72-7d5a-11eb-8e3c-0a1b2c3d4e5f", "A1970C727D5A11EB8E3C0A1B2C3D4E5F"),
    "zeros": ("P7", "P07", "p_007", "P 7", "P-7"),
    "float": ("7", "7.0", "007", "7,0"),
    "accent": (unicodedata.normalize("NFC", "Zo\u00eb"), unicodedata.normalize("NFD", "Zo\u00eb")),
    "blanks": ("A 1", "A\u00a01", "A  1", "A\u2009\u20091"),
    "invisible": ("P7", "P\u200b7", "\ufeffP7", "P\u00ad7", "P7\u2060"),
    "dashes": ("A-1-2", "A\u20131\u20132", "A\u22121\u22122", "A\u20101\u20102"),
    "case": ("STRASSE 1", "Stra\u00dfe 1"),
}
DISTINCT = (
    *("A1", "A2", "P1", "P10", "1.1", "1.10", "S1-2", "S12", "TCGA-XX-0099", "TCGA-XX-0990"),
    *("C3L-00016", "C3N-00016", "BraTS-GLI-00005", "BraTS-MEN-00005", "Brats18_2013_10_1"),
    *("Brats18_2013_1_1", "Brats18_TCIA08_167_1", "Brats18_TCIA01_167_1", "-", ".", "Zoe"),
)


@pytest.mark.parametrize("names", [pytest.param(v, id=k) for k, v in SPELLINGS.items()])
def test_all_spellings_of_a_patient_share_a_key(names):
    """A split that takes two spellings for two persons tears the patient apart."""
    assert len({patient_key(name) for name in names}) == 1


def test_names_that_differ_by_more_than_spelling_are_no_twins():
    """Two patients who are taken for one could never be in one study."""
    assert twins(DISTINCT) == []


def test_twins_are_grouped_and_the_empty_name_is_nobody():
    """An unnamed row is refused for its own reason."""
    assert twins(["", "P1", "P01", "p-1", "P2", ""]) == [("P01", "P1", "p-1")]


def test_a_patient_is_recognized_in_another_table_under_another_spelling():
    """The same name goes before a twin."""
    assert same_patients(["P-01", "7", "X"], ["P1", "P2", "7.0", "7"]) == {"P-01": "P1", "7": "7"}


def test_two_spellings_in_two_tables_are_refused():
    """A table of folds would leave the patient out, or train on what it holds out."""
    refuse_twins_across(["P1", "P2"], ["P1", "P3"], "images", "folds")

    with pytest.raises(LeakageError, match="images and folds: patients P01, P1 look like one, 1"):
        refuse_twins_across(["P01", "P2"], ["P1", "P2"], "images", "folds")


def test_a_name_with_hidden_characters_is_shown_with_escapes():
    """Two names that print alike could not be told apart in the message."""
    assert shown("A\u00a01") == "'A\\xa01'"

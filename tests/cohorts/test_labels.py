"""Labels of patients: columns, contradictions, operations and the account of what was read."""

import pytest

from idhray.cohorts.label_columns import label_columns
from idhray.cohorts.labels import LabelOptions, patient_labels
from idhray.cohorts.text_table import read_text_table
from idhray.errors import ManifestError

NAMES = ("idh", "age", "sex", "grade", "diagnosis")


def labels_of(tmp_path, text, patients=("A", "B"), **options):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return patient_labels([str(path)], patients, LabelOptions(**options))


@pytest.mark.parametrize(
    ("header", "idh", "age", "grade"),
    [
        ("ID,Sex,Age at MRI,WHO CNS Grade,IDH", "IDH", "Age at MRI", "WHO CNS Grade"),
        ("ID,Gender,Age_at_scan_years,IDH1,MGMT", "IDH1", "Age_at_scan_years", None),
        ("submitter_id,age_at_index,idh_status", "idh_status", "age_at_index", None),
        ("PATIENT_ID,AGE,GRADE,IDH_STATUS", "IDH_STATUS", "AGE", "GRADE"),
        (
            "Case,IDH.status,Age (years at diagnosis)",
            "IDH.status",
            "Age (years at diagnosis)",
            None,
        ),
        (
            "patient,IDH/codel subtype,Grade (WHO 2021)",
            "IDH/codel subtype",
            None,
            "Grade (WHO 2021)",
        ),
        ("patient,idh,Stage,age at first seizure,age at death", "idh", None, None),
        ("patient,idh,patient_age", "idh", "patient_age", None),
        ("Subject,IDH,1p19q,Grade", "IDH", None, "Grade"),
        ("patient,IDH mutation (tissue),idh1_vaf", "IDH mutation (tissue)", None, None),
    ],
)
def test_columns_are_found_by_the_names_of_public_cohorts(tmp_path, header, idh, age, grade):
    """Ages under `Age at MRI` or `age_at_index` were lost, exit code 0."""
    path = tmp_path / "labels.csv"
    path.write_text(header + "\n" + "x," * header.count(",") + "x\n")
    columns = label_columns(read_text_table(str(path)), {}, "labels").by_name

    assert columns["idh"] == (idh,)
    assert columns.get("age", (None,)) == (age,)
    assert columns.get("grade", (None,)) == (grade,)


def test_several_columns_that_may_hold_the_status_are_refused(tmp_path):
    """A guess among them would be a wrong label in half of the cases."""
    with pytest.raises(ManifestError, match="idh_ihc, idh_seq may all hold the IDH status"):
        labels_of(tmp_path, "patient,idh_ihc,idh_seq\nA,mutant,WT\n")


def test_two_genes_make_one_status(tmp_path):
    """A patient with a wildtype IDH1 and a mutant IDH2 is mutant."""
    text = "patient,IDH1,IDH2\nA,WT,R172K\nB,WT,WT\nC,R132H,\nD,WT,not tested\n"
    labels = labels_of(tmp_path, text, "ABCD").by_patient

    assert [labels[name].get("idh", "") for name in "abcd"] == [
        "mutant",
        "wildtype",
        "mutant",
        "",
    ]


def test_values_that_cannot_be_read_are_counted_and_their_patients_left_out(tmp_path):
    """An unreadable status leaves the patient out; an unreadable age is unknown."""
    text = "patient,idh,age,grade\nA,mutant,43,II-III\nB,maybe,44,2\nC,maybe,45,2\nD,WT,old,2\n"
    labels = labels_of(tmp_path, text, "ABCD")

    assert labels.unreadable == {"b", "c"}
    assert labels.by_patient["d"] == {"idh": "wildtype", "grade": "2"}
    assert labels.account.unread_lines() == [
        "age in 1 row: 'old' (1); write a number from 0 to 120, years",
        "grade in 1 row: 'II-III' (1); write 1, 2, 3 or 4, or leave it empty",
        "idh in 2 rows: 'maybe' (2); write mutant, wildtype, or leave it empty",
    ]
    with pytest.raises(ManifestError, match="3 problems"):
        labels_of(tmp_path, text, "ABCD", strict=True)


def test_rows_of_patients_without_files_are_not_judged(tmp_path):
    """The table of a whole archive may hold words that concern nobody here."""
    text = "patient,idh,age\nA,mutant,43\nZ,maybe,-5\nZ,mutant,1\nZ,WT,2\n"

    assert labels_of(tmp_path, text, "A", strict=True).by_patient == {
        "a": {"idh": "mutant", "age": "43"}
    }


def test_one_line_tells_the_column_of_each_value(tmp_path):
    """The user must see what served for what, and what is left over."""
    text = (
        "Patient ID,IDH,Sex,KPS,age at first seizure,age at death\nA,mutant,M,90,1,2\nB,,F,80,,\n"
    )
    account = labels_of(tmp_path, text, "ABC").account

    assert account.lines(NAMES) == [
        "2 of 3 patients with files have labels",
        "idh: column `IDH`, read for 1 of 3 patients",
        "age: not read, several columns may hold it: age at first seizure, age at death; choose "
        "with --columns age=NAME",
        "sex: column `Sex`, read for 2 of 3 patients",
        "grade: no column",
        "diagnosis: no column",
        "not used: KPS, age at first seizure, age at death",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("patient,idh\nX1,mutant\n", "column `patient` has names like 'X1', files have 'A'"),
        ("patient,idh\nA,\nB,NA\n", "no patient with files has an IDH status"),
        ("patient,idh\nA,1\nB,0\n", "idh in 2 rows: '0' .1., '1' .1.; .*--idh-values"),
        ("patient,age\nA,43\n", "no column for idh among patient"),
        ("patient,idh,sex\nA,mutant,M\nA,,F\n", "row 3: patient A has sex M and F$"),
        ("patient,idh,age\nA,mutant,43\nA,,44\n", "age 43 and 44; --age-of first takes"),
    ],
)
def test_labels_that_fit_nobody_or_contradict_themselves_are_refused(tmp_path, text, problem):
    """Exit code 0 with four unknown patients is no answer."""
    with pytest.raises(ManifestError, match=problem):
        labels_of(tmp_path, text)


def test_several_operations_of_a_patient_need_a_rule(tmp_path):
    """EBRAINS has patients with two to four operations, of other ages and grades."""
    text = "patient,idh,age,grade\nA,mutant,50,4\nA,mutant,43,2\nA,,,3\n"

    first = labels_of(tmp_path, text, "A", age_of="first").by_patient["a"]
    last = labels_of(tmp_path, text, "A", age_of="last").by_patient["a"]
    assert first == {"idh": "mutant", "age": "43", "grade": "2"}
    assert last == {"idh": "mutant", "age": "50", "grade": "4"}
    with pytest.raises(ManifestError, match=r"has idh mutant and wildtype$"):
        labels_of(tmp_path, text + "A,WT,60,4\n", "A", age_of="first")


def test_codes_units_and_capped_ages(tmp_path):
    """The user says what 1 means; a header says that ages are days."""
    text = "ID,IDH (0/1),age_at_diagnosis (days)\nA,1,15706\nB,0,90 or older\n"
    labels = labels_of(
        tmp_path, text, idh_values={"1": "mutant", "0": "wildtype"}, columns={"idh": "idh (0/1)"}
    )

    assert labels.by_patient == {
        "a": {"idh": "mutant", "age": "43"},
        "b": {"idh": "wildtype", "age": "90", "age_censored": "yes"},
    }


def test_a_dry_run_shows_each_distinct_cell_once(tmp_path):
    """Three hundred rows hold five spellings."""
    text = "patient,idh\n" + "".join(f"P{i},{'WT' if i % 2 else 'R132H'}\n" for i in range(300))
    account = labels_of(tmp_path, text + "Q,maybe\n", [f"P{i}" for i in range(300)] + ["Q"]).account
    lines = account.readings_text().splitlines()

    assert [line.split() for line in lines] == [
        ["idh", "from", "`idh`:"],
        ["'R132H'", "mutant", "150"],
        ["'WT'", "wildtype", "150"],
        ["'maybe'", "not", "read", "1"],
    ]

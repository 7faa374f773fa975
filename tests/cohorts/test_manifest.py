"""Manifest reading, validation and the split."""

import pandas as pd
import pytest

from idhray.cohorts.manifest import (
    manifest_hash,
    patients_of,
    read_manifest,
    with_split,
    write_manifest,
)
from idhray.cohorts.modality import tell_missing_files
from idhray.cohorts.split_draw import held_out_sizes
from idhray.errors import ManifestError


def manifest_file(tmp_path, text):
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    return str(path)


def made_cohort(tmp_path, mutants, wildtypes):
    rows = [f"M{i},mutant" for i in range(mutants)] + [f"W{i},wildtype" for i in range(wildtypes)]
    return read_manifest(manifest_file(tmp_path, "patient,idh\n" + "\n".join(rows)))


def test_all_problems_are_told_at_once_with_rows(tmp_path):
    """Fixing a manifest of a thousand rows one message at a time is no way to live."""
    path = manifest_file(
        tmp_path,
        "patient,idh,age,grade,slide\n"
        "A,mutant,40,4,a.svs\n"
        "A,wildtype,40,4,b.svs\n"
        ",mutant,,,c.svs\n"
        "B,positive,-3,V,a.svs\n",
    )

    with pytest.raises(ManifestError) as caught:
        read_manifest(path)

    lines = str(caught.value).splitlines()
    assert "6 problems; nothing was done" in lines[0]
    assert [line.strip().split(":")[0] for line in lines[1:]] == [
        "row 4",
        "row 5",
        "row 5",
        "row 5",
        "rows 2, 3",
        "rows 2, 5",
    ]
    assert "patient A has idh mutant and wildtype" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("idh\nmutant\n", "no column `patient`", id="no patient column"),
        pytest.param("patient,age,Age\nA,1,1\n", "`age` and `Age` are both `age`", id="case twins"),
        pytest.param("patient,split\nA,train\nA,test\n", "split test and train", id="torn patient"),
        pytest.param("patient\nab-1\nAB-1\n", "look like one", id="same name in other case"),
        pytest.param(
            "patient\nTCGA-02-0001-01A\nTCGA-02-0001-02A\n", "look like one", id="two samples"
        ),
        pytest.param("patient,slide\nA,s.svs\nB,s.tif\n", "slides are named s", id="stems"),
        pytest.param("patient,mpp\nA,0\n", "number from 0.01 to 10", id="mpp of zero"),
        pytest.param("patient,mpp\nA,inf\n", "mpp is 'inf'", id="mpp of inf"),
        pytest.param("patient\n", "there are no rows", id="no rows"),
        pytest.param("", "is empty", id="empty file"),
        pytest.param("patient,idh\nA,mutant,x\n", "row 2: 3 cells under a header of 2", id="comma"),
        pytest.param("patient,idh,idh\nA,,\n", "column `idh` occurs twice", id="two columns"),
        pytest.param('patient\n"A\n', "not a table", id="open quote"),
        pytest.param("patient,sex\nA,M\nA,female\n", "A has sex F and M", id="two sexes"),
        pytest.param("patient,sex\nA,banana\n", "sex is 'banana'; write M, F", id="no sex"),
        pytest.param("patient,idh\nA,1\n", "idh is '1'; write mutant.*idh-values", id="code"),
        pytest.param("patient,age\nA,15842\n", "age is '15842'; it is not in years", id="days"),
        pytest.param("patient,age\nA,40-49\n", "age is '40-49'; write a number", id="a range"),
        pytest.param("patient,idh\nA,\n,mutant\n", "row 3: no patient", id="half blank"),
        pytest.param("patient,idh\nA,\nNaN,WT\nNaN,WT\n", "rows 3, 4: patient is 'NaN'", id="NaN"),
        pytest.param("patient,age\nA,1\nTotal,1\n", "patient is 'Total', which is no", id="sum"),
        pytest.param("patient idh\nA WT\n", "no comma, semicolon, tab or pipe", id="blanks"),
        pytest.param("patient,idh\n\nA,\n\n,mutant\n", "row 5: no patient", id="blank rows"),
    ],
)
def test_a_contradictory_manifest_is_refused(tmp_path, text, said):
    """Each of these would end in a wrong label or a patient in two sets."""
    with pytest.raises(ManifestError, match=said):
        read_manifest(manifest_file(tmp_path, text))


def test_rows_of_a_patient_share_what_one_of_them_says(tmp_path):
    """Labels often stand on the first slide only."""
    cohort = read_manifest(manifest_file(tmp_path, "patient,idh,slide\nA,,1.svs\nA,mutant,2.svs\n"))

    assert cohort["idh"].tolist() == ["mutant", "mutant"]
    assert cohort["slide"].tolist() == [f"{tmp_path}/1.svs", f"{tmp_path}/2.svs"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_manifest_survives_writing_and_reading(tmp_path, ending):
    """`split-cohort` writes what every stage reads."""
    cohort = with_split(made_cohort(tmp_path, 8, 8), seed=1)
    write_manifest(str(tmp_path / f"m.{ending}"), cohort)
    again = read_manifest(str(tmp_path / f"m.{ending}"))

    pd.testing.assert_frame_equal(again, cohort)
    assert manifest_hash(again) == manifest_hash(cohort.iloc[::-1])


def test_split_of_266_patients_is_that_of_liu_2020(tmp_path):
    """136 mutant and 130 wildtype patients give 100 + 98, 18 + 16 and 18 + 16 (Results)."""
    patients = patients_of(with_split(made_cohort(tmp_path, 136, 130), seed=0))

    assert patients["split"].value_counts().to_dict() == {"train": 198, "val": 34, "test": 34}
    by_class = patients.groupby(["split", "idh"]).size()
    assert by_class["train"].to_dict() == {"mutant": 100, "wildtype": 98}
    assert by_class["val"].to_dict() == {"mutant": 18, "wildtype": 16}
    assert by_class["test"].to_dict() == {"mutant": 18, "wildtype": 16}


def test_split_does_not_depend_on_the_order_of_rows(tmp_path):
    """A re-sorted spreadsheet must not move a patient from test to training."""
    cohort = made_cohort(tmp_path, 20, 20)
    forward = patients_of(with_split(cohort, seed=3))
    backward = patients_of(with_split(cohort.iloc[::-1].reset_index(drop=True), seed=3))

    pd.testing.assert_frame_equal(forward, backward)
    other = patients_of(with_split(cohort, seed=4))
    assert (other["split"] != forward["split"]).any()


def test_a_given_split_is_kept_and_a_class_of_two_is_refused(tmp_path):
    """An external test set is the user's to name; two patients cannot fill three sets."""
    given = read_manifest(
        manifest_file(tmp_path, "patient,idh,split\nA,mutant,test\nB,mutant,train\n")
    )

    assert with_split(given, seed=0)["split"].tolist() == ["test", "train"]
    with pytest.raises(ManifestError, match=r"2 mutant patient\(s\)"):
        with_split(made_cohort(tmp_path, 2, 9), seed=0)


@pytest.mark.parametrize("newcomers", [1, 40])
@pytest.mark.parametrize("seed", range(5))
def test_newcomers_move_nobody_and_fill_the_sets(tmp_path, newcomers, seed):
    """A patient who moves from test to training is judged by a network that learned from them."""
    before = patients_of(with_split(made_cohort(tmp_path, 61, 35), seed)).set_index("patient")
    larger = patients_of(made_cohort(tmp_path, 61 + newcomers, 35 + newcomers // 2))
    larger["split"] = larger["patient"].map(before["split"]).fillna("")
    after = patients_of(with_split(larger, seed)).set_index("patient")

    pd.testing.assert_series_equal(after["split"].reindex(before.index), before["split"])
    sizes = after.groupby(["idh", "split"]).size().unstack()
    ideal = after.groupby("idh").size()
    for name, share in (("train", 0.75), ("val", 0.125), ("test", 0.125)):
        assert ((sizes[name] - share * ideal).abs() <= 2).all()


def test_places_of_newcomers_do_not_depend_on_the_order_of_rows(tmp_path):
    """Every stage that reads the manifest must come to the same split."""
    cohort = made_cohort(tmp_path, 30, 30)
    written = with_split(cohort, seed=1).assign(
        split=lambda t: t["split"].where(t.index % 3 > 0, "")
    )
    forward = patients_of(with_split(written, seed=2))
    backward = patients_of(with_split(written.iloc[::-1].reset_index(drop=True), seed=2))

    pd.testing.assert_frame_equal(forward, backward)


@pytest.mark.parametrize(
    ("sizes", "held_out"),
    [
        pytest.param((136, 130), (18, 16), id="Liu et al. 2020"),
        pytest.param((130, 136), (16, 18), id="the other way around"),
        pytest.param((36, 36), (5, 5), id="equal classes hold out equal numbers"),
        pytest.param((50, 12), (7, 1), id="TCGA MRI"),
        pytest.param((3, 3), (1, 1), id="smallest"),
        pytest.param((3, 100), (1, 12), id="rare class"),
    ],
)
def test_held_out_patients_are_an_eighth_and_both_classes_are_among_them(sizes, held_out):
    """A validation or test set without one class has no AUC."""
    drawn = held_out_sizes({"mutant": sizes[0], "wildtype": sizes[1]})

    assert tuple(drawn.values()) == held_out


def test_every_set_has_both_classes_and_training_most_patients():
    """The rule must be sensible for any cohort, not only for that of the paper."""
    for mutants in range(3, 60):
        for wildtypes in range(3, 60):
            drawn = held_out_sizes({"mutant": mutants, "wildtype": wildtypes})

            assert min(drawn.values()) >= 1
            assert mutants > 2 * drawn["mutant"]
            assert wildtypes > 2 * drawn["wildtype"]
            assert sum(drawn.values()) - -(-(mutants + wildtypes) // 8) in (0, 1)


def test_spellings_of_one_value_are_one_value(tmp_path):
    """Two exports of one hospital differ in case and words, not in what they say."""
    path = manifest_file(
        tmp_path,
        "Patient ; IDH;Sex;AGE;grade;split;site;slide\n"
        "A;Mutated (NOS);male;43,5;2;Train;K\u00f6ln;1.svs\n"
        "A;IDH1 p.Arg132His;M;43.50;Grade II;training;k\u00f6ln ;2.svs\n"
        "B;WT;F;NA;n/a;validation;K\u00f6ln;3.svs\n",
    )
    cohort = read_manifest(path)

    rows = cohort[["patient", "idh", "sex", "grade", "split", "site"]].to_numpy().tolist()
    assert rows[0] == rows[1] == ["A", "mutant", "M", "2", "train", "K\u00f6ln"]
    assert rows[2] == ["B", "wildtype", "F", "", "val", "K\u00f6ln"]
    assert cohort["age"].tolist()[:2] == [43.5, 43.5]
    assert cohort["age"].isna().tolist() == [False, False, True]


def test_capped_ages_are_marked_and_an_old_manifest_keeps_its_hash(tmp_path):
    """89+ is not 89; and a column that nobody fills must not make every result be made again."""
    capped = "patient,age\nA,89+\nB,>89\nC,90 or older\nD,43\n"
    cohort = read_manifest(manifest_file(tmp_path, capped))

    assert cohort["age"].tolist() == [89, 90, 90, 43]
    assert cohort["age_censored"].tolist() == ["yes", "yes", "yes", ""]
    write_manifest(str(tmp_path / "again.csv"), cohort)
    pd.testing.assert_frame_equal(read_manifest(str(tmp_path / "again.csv")), cohort)
    plain = cohort.assign(age_censored="")
    assert manifest_hash(plain) == manifest_hash(plain.drop(columns="age_censored"))
    assert manifest_hash(plain) != manifest_hash(cohort)


def test_columns_that_are_not_read_are_named(tmp_path, caplog):
    """A column `slides` was ignored without a word."""
    text = "patient,slides,Age at diagnosis,tmb\nA,1.svs,43,2\n"
    read_manifest(manifest_file(tmp_path, text))

    assert "slides (slide?), Age at diagnosis (age?), tmb" in caplog.text


def test_a_column_that_looks_like_the_missing_labels_is_refused(tmp_path):
    """A whole cohort counted as unlabelled, with exit code 0. A column `id` is none of these."""
    with pytest.raises(ManifestError, match="no column `idh`, but 'IDH-Status'; rename it"):
        read_manifest(manifest_file(tmp_path, "patient,IDH-Status\nA,mutant\n"))
    cohort = read_manifest(manifest_file(tmp_path, "patient,id\nA,1\n"))

    assert cohort["idh"].tolist() == [""]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        pytest.param("P1,x/P2.svs\nP2,x/P3.svs\nP3,x/P1.svs\n", "rows 2, 3, 4", id="all"),
        pytest.param(
            "TCGA-02-0001,TCGA-02-0001-01Z-00-DX1.svs\n"
            "TCGA-02-0003,TCGA-02-0003-01Z-00-DX1.svs\n"
            "TCGA-02-0010,TCGA-02-0003-01Z-00-DX2.svs\n",
            "row 4: slide TCGA-02-0003-01Z-00-DX2.svs of patient TCGA-02-0010 is named after",
            id="barcodes",
        ),
        pytest.param("UCSF-PDGM-0004,UCSF-PDGM-005/a.svs\nUCSF-PDGM-0005,\n", "row 2", id="ucsf"),
        pytest.param("P01,x/P01_P02.svs\nP02,y/P02.svs\n", "", id="both"),
        pytest.param("1,s2.svs\n2,s1.svs\n", "", id="numbers alone"),
        pytest.param("10442,10443.svs\n10443,10442.svs\n", "rows 2, 3", id="long numbers"),
        pytest.param("2491,2020/scan_2020.svs\n2020,b.svs\n", "", id="a year"),
        pytest.param(
            "7,a1982c02-2491-11eb-87f5-001a7dda7111.ndpi\n2491,x.ndpi\n", "", id="part of a UUID"
        ),
        pytest.param("A,B.svs\nB,A.svs\n", "", id="letters alone"),
        pytest.param("T1,b/T2.svs\nT2,a/T1.svs\n", "", id="sequences"),
    ],
)
def test_a_file_that_is_named_after_another_patient_is_refused(tmp_path, rows, problem):
    """A column that slipped by one row gives every patient the slide of the next."""
    path = manifest_file(tmp_path, "patient,slide\n" + rows)
    if not problem:
        assert len(read_manifest(path)) == 2
        return
    with pytest.raises(ManifestError, match=problem):
        read_manifest(path)


def test_missing_files_are_told_before_any_worker_starts(tmp_path, caplog):
    """A moved archive used to start a cluster first; a DICOM folder may name its series."""
    (tmp_path / "a.svs").touch()
    (tmp_path / "dicom").mkdir()
    rows = "A,a.svs,\nB,b.svs,s3://x/y\nC,,dicom#1.2.3\n"
    path = manifest_file(tmp_path, "patient,slide,flair\n" + rows)
    cohort = read_manifest(path)

    tell_missing_files(cohort, ("slide", "flair"), path)
    assert f"1 of 3 files are missing: {tmp_path}/b.svs; they will be failures" in caplog.text
    with pytest.raises(ManifestError, match=r"1 of 1 files are missing.*nothing was done"):
        tell_missing_files(cohort[cohort["patient"] == "B"], ("slide",), path)

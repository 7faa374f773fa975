"""Notes of an importer travel with the manifest into the report of a study."""

from idhray.cohorts.manifest_notes import copy_notes, note_lines, study_notes, write_notes
from idhray.stages.make_manifest import MakeManifestFlags, make_manifest
from idhray.stages.studies.shared_sections import manifest_flow


def test_values_that_were_not_read_reach_the_flow_of_the_report(tmp_path):
    """A patient who is left out before the study starts is missing from every later ledger."""
    table = tmp_path / "labels.csv"
    table.write_text("ID,IDH,grade\nA,mutant,2\nB,maybe,2\nC,WT,II-III\n")
    manifest = str(tmp_path / "m.csv")
    flags = MakeManifestFlags(kind="table", labels=(str(table),), out=manifest)
    result = make_manifest(flags)
    copy_notes(manifest, str(tmp_path / "study"))
    (flow,) = manifest_flow(str(tmp_path / "study"))

    assert result["left_out"]["idh_unreadable"] == 1
    assert (flow.step, flow.done, flow.skipped) == ("make-manifest table", 3, 1)
    assert [line for _, line in flow.remarks] == [
        "1 left out: idh unreadable",
        "grade 'II-III' was not read, in 1 rows",
        "idh 'maybe' was not read, in 1 rows",
    ]


def test_a_manifest_without_notes_leaves_none_behind(tmp_path):
    """A study whose manifest is replaced by one made by hand must not show the old notes."""
    study = str(tmp_path / "study")
    assert manifest_flow(study) == []
    write_notes(str(tmp_path / "m.csv"), {"left_out": {"frozen": 2}})
    copy_notes(str(tmp_path / "m.csv"), study)
    assert list(note_lines(study_notes(study))) == ["2 left out: frozen"]
    copy_notes(str(tmp_path / "other.csv"), study)

    assert manifest_flow(study) == []


def test_a_dry_run_prints_every_value_and_writes_nothing(tmp_path):
    """The user maps codes first and looks what became of them."""
    table = tmp_path / "labels.csv"
    table.write_text("ID,IDH\nA,1\nB,0\nC,0\n")
    flags = MakeManifestFlags(
        kind="table",
        labels=(str(table),),
        out=str(tmp_path / "m.csv"),
        columns=("patient=id", "idh=IDH"),
        idh_values=("1=mutant", "0=wildtype"),
        dry_run=True,
    )
    result = make_manifest(flags)

    assert [line.split() for line in result["text"].splitlines()][1:] == [
        ["'0'", "wildtype", "2"],
        ["'1'", "mutant", "1"],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv"]

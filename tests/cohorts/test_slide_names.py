"""Names of slides, also of those whose files have one name."""

import pytest

from idhray.cohorts.manifest import read_manifest
from idhray.cohorts.slide_names import slide_name, slide_names, told_apart
from idhray.errors import ManifestError


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/x/1/scan.svs", "/x/2/scan.svs"], ["1_scan", "2_scan"]),
        (["/x/1/a/scan.svs", "/x/2/a/scan.tif"], ["1_a_scan", "2_a_scan"]),
        (["s3://b/A/scan.svs", "s3://b/B/scan.svs"], ["A_scan", "B_scan"]),
        (["/scan.svs", "/x/scan.svs"], ["_scan", "x_scan"]),
        (["/x/1/scan.svs", "/x/2/scan.svs", "/x/1_scan.svs"], ["x_1_scan", "x_2_scan"]),
    ],
)
def test_as_few_folders_as_possible_tell_slides_apart(paths, names):
    """Scanners name files by time or number; a read-only archive cannot be renamed."""
    assert [*told_apart(paths).values()] == names


def test_slides_of_one_folder_and_name_stay_together():
    """They are one slide in two formats."""
    assert told_apart(["/x/scan.svs", "/x/scan.tif"]) == {}
    assert told_apart(["/x/a.svs", "/x/b.svs"]) == {}


def manifest(tmp_path, *rows, head="patient,slide"):
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return str(path)


def test_a_manifest_gives_slides_of_one_file_name_distinct_names(tmp_path):
    """Others keep the name that they always had; relative paths count as absolute ones."""
    path = manifest(tmp_path, "A,p1/scan.svs", "B,p2/scan.svs", "C,p3/other.svs", "D,")

    assert slide_names(read_manifest(path)) == ["p1_scan", "p2_scan", "other", ""]
    assert len(slide_names(read_manifest(manifest(tmp_path, "A,scan.svs", "B,x/scan.svs")))) == 2


def test_the_column_slide_id_decides(tmp_path):
    """A user may name slides, and must where folders tell nothing."""
    rows = ("A,scan.svs,one", "B,scan.tif,two")
    path = manifest(tmp_path, *rows, head="patient,slide,slide_id")
    assert slide_names(read_manifest(path)) == ["one", "two"]

    same = manifest(tmp_path, "A,scan.svs", "B,scan.tif")
    with pytest.raises(ManifestError, match=r"rows 2, 3: 2 slides are named scan; keep one, or"):
        read_manifest(same)
    same = manifest(tmp_path, "A,a.svs,x", "B,b.tif,x", head="patient,slide,slide_id")
    with pytest.raises(ManifestError, match="2 slides are named x"):
        read_manifest(same)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("x/TCGA-02-0001-01Z-00-DX1.83fce43e.svs", "TCGA-02-0001-01Z-00-DX1.83fce43e"),
        pytest.param("s3://b/a.ome.tiff", "a.ome", id="only the last ending"),
        pytest.param("x/1.2.840.10008.77.1", "1.2.840.10008.77.1", id="a DICOM UID"),
        pytest.param("x/1.2.840.10008.77.1.dcm", "1.2.840.10008.77.1", id="a DICOM UID with it"),
    ],
)
def test_a_slide_is_called_after_its_file(path, name):
    """Without the last number of a UID all slides of one maker would have one name."""
    assert slide_name(path) == name

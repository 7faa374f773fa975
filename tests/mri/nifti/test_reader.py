"""NIfTI files as they are found: whole ones are read, all others end in one line."""

import gzip
import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from idhray.errors import ConfigError, MriError
from idhray.mri.nifti.reader import read_volume
from idhray.mri.nifti.settings import ReaderSettings

SHAPE = (9, 11, 10)
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 1.5, 0, -40], [0, 0, 3, -20], [0, 0, 0, 1]])  # LAS


def image(voxels=None, affine=AFFINE, dtype=np.int16, cls=nib.Nifti1Image):
    if voxels is None:
        voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    made = cls(np.asarray(voxels, dtype=dtype), affine, dtype=np.dtype(dtype))
    made.set_sform(affine, 1)
    made.set_qform(affine, 1)
    return made


def patched(raw, **fields):
    """The bytes of a NIfTI-1 file with some header fields set."""
    header = np.frombuffer(raw[:348], dtype=nib.Nifti1Header.template_dtype).copy()
    for name, value in fields.items():
        header[name] = value
    return header.tobytes() + raw[348:]


def dims(*sides):
    return [len(sides), *sides, *[1] * (7 - len(sides))]


def raw(**fields):
    return patched(image().to_bytes(), **fields)


@pytest.fixture
def write(tmp_path):
    def to_file(data, name="scan.nii"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return to_file


@pytest.mark.parametrize("axes", ["LAS", "LPS", "RAS", "PSR", "SRA", "AIL"])
def test_a_voxel_keeps_its_place_whatever_the_order_of_axes(write, axes):
    """Files come as sagittal, coronal and axial scans; left must stay left."""
    voxels = np.zeros(SHAPE)
    voxels[7, 2, 8] = 1
    wanted = AFFINE @ [7, 2, 8, 1]
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes)
    )

    volume = read_volume(write(image(voxels).as_reoriented(turn).to_bytes()))

    assert nib.aff2axcodes(volume.affine) == tuple(axes)
    where = np.unravel_index(volume.voxels.argmax(), volume.voxels.shape)
    np.testing.assert_allclose(volume.affine @ [*where, 1], wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "SCAN WITHOUT END", "ü.NII.GZ"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_content_says_whether_a_file_is_packed(write, name, pack):
    """Browsers unpack downloads and keep the name."""
    path = write(pack(image().to_bytes()), name)

    volume = read_volume(path)

    np.testing.assert_array_equal(volume.voxels, np.arange(990).reshape(SHAPE))
    assert (volume.name, volume.voxels.dtype) == (name, np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, ">i2", ">f4", np.uint32, np.int64, float])
@pytest.mark.parametrize("cls", [nib.Nifti1Image, nib.Nifti2Image])
def test_every_number_type_and_byte_order_is_read(write, dtype, cls):
    """Old workstations wrote the high byte first."""
    voxels = np.arange(990).reshape(SHAPE) % 251
    made = image(voxels, dtype=dtype, cls=cls)
    if np.dtype(dtype).byteorder == ">":
        made = cls(made.dataobj, AFFINE, header=made.header.as_byteswapped(">"))

    volume = read_volume(write(made.to_bytes()))

    np.testing.assert_array_equal(volume.voxels, voxels)


def test_voxels_are_scaled_by_slope_and_intercept(write):
    """Philips and resampling tools store rounded voxels and a scaling."""
    volume = read_volume(write(raw(scl_slope=0.5, scl_inter=-3)))

    np.testing.assert_array_equal(volume.voxels, np.arange(990).reshape(SHAPE) * 0.5 - 3)


def test_a_slope_of_zero_means_no_scaling(write):
    """So says the NIfTI standard; an intercept beside it is forgotten, with a note."""
    notes = []

    volume = read_volume(write(raw(scl_slope=0, scl_inter=7)), notes=notes)

    assert volume.voxels.max() == 989
    assert notes == ["scl_slope is 0: voxels are not scaled, scl_inter 7 is ignored"]


def test_one_frame_in_four_dimensions_is_a_volume(write):
    """Some converters write every scan with a time axis."""
    assert read_volume(write(raw(dim=dims(*SHAPE, 1)))).voxels.shape == SHAPE


def test_extensions_before_the_voxels_are_skipped(write):
    """Siemens and AFNI headers lie there, of any length."""
    data = raw(vox_offset=352 + 5000)
    data = data[:352] + b"x" * 5000 + data[352:]

    assert read_volume(write(gzip.compress(data))).voxels.max() == 989


WHOLE = raw()
MICRO = np.diag([1000, 1000, 1000, 1])
BROKEN = {
    "half a gzip": (gzip.compress(WHOLE)[:900], "cannot be decompressed to its end"),
    "gzip, last byte lost": (gzip.compress(WHOLE)[:-1], "cannot be decompressed to its end"),
    "gzip, a byte flipped": (
        (z := gzip.compress(WHOLE, 0))[:1200] + bytes([z[1200] ^ 1]) + z[1201:],
        "cannot be decompressed to its end",
    ),
    "gzip of half a file": (gzip.compress(WHOLE[:1000]), "ends before the voxels"),
    "half a file": (WHOLE[:1000], "declares 2332 bytes and has 1000"),
    "half a header": (WHOLE[:200], "it is truncated"),
    "more than declared": (WHOLE + b"x", "holds more than the 2332 bytes"),
    "a dimension flipped": (raw(dim=dims(9, 11, 8)), "holds more than"),
    "terabytes": (raw(dim=dims(32000, 32000, 32000)), "declares 32000 x 32000 x 32000 voxels"),
    "negative side": (raw(dim=dims(9, -11, 10)), "declares 3 axes"),
    "two axes": (raw(dim=dims(99, 10)), "declares 2 axes"),
    "a series": (image(np.ones((9, 11, 10, 2))).to_bytes(), "holds 2 frames of 9 x 11 x 10"),
    "one slice": (image(np.ones((90, 11, 1))).to_bytes(), "each side must have 8"),
    "offset inside the header": (raw(vox_offset=100), "vox_offset is 100"),
    "offset nowhere": (raw(vox_offset=np.nan), "vox_offset is nan"),
    "offset at the end of the world": (raw(vox_offset=1e30), r"vox_offset is 1e\+30"),
    "slope NaN": (raw(scl_slope=np.nan), "scl_slope is nan"),
    "intercept infinite": (raw(scl_slope=1, scl_inter=np.inf), "scl_inter inf"),
    "complex": (image(dtype=np.complex64).to_bytes(), "NIfTI type 32"),
    "unknown type": (raw(datatype=99), "NIfTI type 99"),
    "no position": (raw(sform_code=0, qform_code=0), "sform and qform have no code"),
    "sform of zeros": (raw(srow_x=0), "its sform maps voxels to no place"),
    "sform NaN": (raw(srow_y=[0, np.nan, 0, 0]), "its sform maps voxels to no place"),
    "qform broken": (raw(sform_code=0, quatern_b=3), "its qform is broken"),
    "micrometres": (image(affine=MICRO).to_bytes(), "says voxels of 1000 x 1000 x 1000 mm"),
    "left and right": (raw(srow_x=[2, 0, 0, -30]), "contradict each other"),
    "axial or coronal": (raw(srow_y=[0, 0, -3, 0], srow_z=[0, 1.5, 0, 0]), "contradict each other"),
    "sheared": (raw(srow_x=[-2, 0.5, 0, 30], qform_code=0), "not orthogonal"),
    "NaN alone": (
        image(np.full(SHAPE, np.nan), dtype=float).to_bytes(),
        "all voxels are 0 but for 990",
    ),
    "constant": (image(np.full(SHAPE, 7)).to_bytes(), "all voxels are 7"),
    "Analyze": (raw(magic=b""), "an Analyze header"),
    "half a pair": (raw(magic=b"ni1"), r"one half of a \.hdr and \.img pair"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS pointer"),
    "annex pointer": (b"/annex/objects/SHA256E-s1--2.nii.gz\n", "git-annex pointer"),
    "web page": (b"<html><body>404 Not Found</body></html>", "a text file"),
    "DICOM": (bytes(128) + b"DICM" + bytes(300), "a DICOM file"),
    "compressed twice": (gzip.compress(gzip.compress(WHOLE)), "compressed twice"),
    "empty": (b"", "it is empty"),
    "empty gzip": (gzip.compress(b""), "it is empty"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_in_one_line(write, data, message):
    """Libraries read half of these without a word; a cohort has them all."""
    with pytest.raises(MriError, match=message) as error:
        read_volume(write(data, "scan.nii.gz"), notes=[])

    assert str(error.value).startswith("scan.nii.gz: ")
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    """Paths in manifests are wrong more often than files."""
    with pytest.raises(MriError, match=r"none\.nii: no file /.*none\.nii"):
        read_volume(str(tmp_path / "none.nii"))
    with pytest.raises(MriError, match="a folder, not a NIfTI file"):
        read_volume(str(tmp_path))


def test_a_gzip_bomb_is_left_after_what_its_header_declares(write):
    """A file of 60 kB must not fill the memory of a worker."""
    bomb = gzip.compress(WHOLE + bytes(60_000_000), 1)
    path = write(bomb)
    del bomb

    tracemalloc.start()
    with pytest.raises(MriError, match="holds more than"):
        read_volume(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000


def test_memory_is_little_more_than_the_voxels(write):
    """Several workers read at once: 4 bytes a voxel and one block."""
    voxels = np.random.default_rng(0).integers(0, 9, (200, 200, 150), dtype=np.uint8)
    path = write(gzip.compress(image(voxels, dtype=float).to_bytes(), 1))

    tracemalloc.start()
    volume = read_volume(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < volume.voxels.nbytes + 30_000_000  # 48 MB would be the stored voxels


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300], ids=["NaN", "infinite", "overflow"])
def test_voxels_that_are_no_numbers_are_counted(write, bad):
    """SimpleITK makes them 0 without a word."""
    voxels = np.arange(990.0).reshape(SHAPE)
    voxels[3, 4, 5] = voxels[0, 0, 1] = bad
    path, notes = write(image(voxels, dtype=float).to_bytes()), []

    volume = read_volume(path, notes=notes)
    zeroed = read_volume(path, settings=ReaderSettings(zero_nonfinite=True), notes=[])

    assert volume.voxels[3, 4, 5] == 0
    assert np.argwhere(volume.nonfinite).tolist() == [[0, 0, 1], [3, 4, 5]]
    assert zeroed.nonfinite is None
    assert notes == ["2 voxels were NaN or infinite: replaced by 0"]


def test_the_sform_counts_where_both_are_there(write):
    """A registered scan keeps the scanner's position in its qform. Unasked notes are warnings."""
    path = write(raw(srow_x=[-2, 0, 0, 35]))
    text = r"scan\.nii: sform and qform lie up to 5\.0 mm apart: sform used"
    with pytest.warns(UserWarning, match=text):
        volume = read_volume(path)

    assert volume.affine[0, 3] == 35
    asked = read_volume(path, settings=ReaderSettings(form="qform"), notes=[])
    assert asked.affine[0, 3] == 30


def test_the_qform_counts_where_the_sform_has_no_code(write):
    """dcm2niix writes both, many scanners one."""
    path = write(raw(sform_code=0, srow_x=[7, 7, 7, 7]))

    np.testing.assert_allclose(read_volume(path).affine, AFFINE, atol=1e-5)
    with pytest.raises(MriError, match="sform has no code"):
        read_volume(path, settings=ReaderSettings(form="sform"))


def test_other_voxel_sizes_in_the_header_are_noted(write):
    """The sform of a volume that was scaled, or a header edited by hand."""
    notes = []
    read_volume(write(raw(pixdim=[1, 1, 1, 1, 0, 0, 0, 0], qform_code=0)), notes=notes)

    assert notes == ["voxels are 1 x 1 x 1 mm in pixdim, 2 x 1.5 x 3 in sform: sform used"]


def test_a_file_without_position_is_las_where_allowed(write):
    """Only a person can know it; a guess would swap left and right in half of the cases."""
    notes = []
    path = write(raw(sform_code=0, qform_code=0))

    volume = read_volume(path, settings=ReaderSettings(allow_no_form=True), notes=notes)

    assert nib.aff2axcodes(volume.affine) == ("L", "A", "S")
    assert volume.spacing_mm == (2, 1.5, 3)
    assert notes == ["no sform or qform: read as i left, j anterior, k superior (LAS)"]


def test_a_volume_has_at_most_so_many_voxels(write):
    """The limit is on what is held, whatever the file's size."""
    with pytest.raises(MriError, match="at most 989 are read"):
        read_volume(write(WHOLE), settings=ReaderSettings(max_voxels=989))
    with pytest.raises(ConfigError, match="form must be"):
        ReaderSettings(form="best")


def test_bytes_of_the_header_mean_what_the_standard_says():
    """The tests above patch fields by name; one by its place in the standard makes sure of them."""
    assert struct.unpack("<f", raw(scl_slope=2.5)[112:116]) == (2.5,)


def test_a_real_scan_reads_as_with_nibabel(real_data):
    """Of TCGA: 26 oblique slices, int16."""
    path = str(real_data / "mri" / "TCGA-FG-6692" / "TCGA-FG-6692_fla.nii.gz")
    notes = []

    volume = read_volume(path, name="TCGA-FG-6692 flair", notes=notes)

    np.testing.assert_array_equal(volume.voxels, nib.load(path).get_fdata(dtype=np.float32))
    np.testing.assert_array_equal(volume.affine, nib.load(path).affine)
    assert (volume.name, notes) == ("TCGA-FG-6692 flair", [])

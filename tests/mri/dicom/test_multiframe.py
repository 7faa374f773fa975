"""Enhanced multi-frame files: each frame lies where its functional group says."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from idhray.errors import MriError
from idhray.mri.dicom.series import read_series
from tests.mri.dicom_file import series

ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
STEP_MM = 5.0


def item(**values):
    """A data set with these values."""
    data = Dataset()
    for keyword, value in values.items():
        setattr(data, keyword, value)
    return data


def frame(place, slope, echo):
    """Functional group of the frame at this place along the slices."""
    group = item(
        PlanePositionSequence=[item(ImagePositionPatient=[-60.0, -70.0, 10 + STEP_MM * place])]
    )
    if slope is not None:
        scaling = item(RescaleSlope=slope, RescaleIntercept=1.0, RescaleType="US")
        group.PixelValueTransformationSequence = [scaling]
    if echo is not None:
        group.MREchoSequence = [item(EffectiveEchoTime=echo)]
    return group


def enhanced(path, voxels, order, *, slopes=None, echoes=None, places=None, **changes):
    """Write (columns, rows, slices) uint16 voxels as one file, its frames in this order."""
    places = order if places is None else places
    slopes, echoes = slopes or [None] * len(order), echoes or [None] * len(order)
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[2.0, 1.5], SliceThickness=5.0)],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    data = item(
        SOPClassUID=ENHANCED,
        SOPInstanceUID="1.2.3.7",
        SeriesInstanceUID="1.2.3",
        Modality="MR",
        PatientName="Doe^Jane",
        PatientID="HOSPITAL-77",
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[
            frame(*values) for values in zip(places, slopes, echoes, strict=True)
        ],
        NumberOfFrames=len(order),
        Rows=voxels.shape[1],
        Columns=voxels.shape[0],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
    )
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.PixelData = np.ascontiguousarray(voxels[:, :, list(order)].T.transpose(0, 1, 2)).tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = ENHANCED
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.7"
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return str(path)


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(0, 900, (12, 10, 9)).astype(np.uint16)


@pytest.mark.parametrize("shuffled", [False, True])
def test_frames_are_read_in_order_of_their_positions(tmp_path, voxels, shuffled):
    """As the single-frame export of the same scan; a file and its folder are the same."""
    order = np.random.default_rng(1).permutation(9) if shuffled else np.arange(9)
    path = enhanced(tmp_path / "xa" / "1.dcm", voxels, order.tolist())
    series(tmp_path / "classic", voxels.astype(np.int16))
    classic = read_series(str(tmp_path / "classic"))

    for place in (path, str(tmp_path / "xa")):
        volume = read_series(place)
        np.testing.assert_array_equal(volume.voxels, classic.voxels)
        np.testing.assert_allclose(volume.affine, classic.affine)


def test_each_frame_has_its_own_scaling(tmp_path, voxels):
    """Philips scales each slice; one scaling for all would make stripes."""
    slopes = [1.0 + k / 4 for k in range(9)]
    path = enhanced(tmp_path / "xa" / "1.dcm", voxels, list(range(9)), slopes=slopes)

    np.testing.assert_allclose(read_series(path).voxels, voxels * np.array(slopes) + 1)


def test_two_echoes_in_one_file_are_told_apart(tmp_path, voxels):
    """A double echo has twice as many frames as places."""
    both = np.concatenate([voxels, voxels + np.uint16(7)], axis=2)
    path = enhanced(
        tmp_path / "xa" / "1.dcm",
        both,
        list(range(18)),
        echoes=[20.0] * 9 + [90.0] * 9,
        places=[*range(9)] * 2,
    )

    with pytest.raises(MriError, match=r"EchoTime is 20\.0 \(9\) or 90\.0 \(9\): choose"):
        read_series(path)


@pytest.mark.parametrize(
    "changes", [{"NumberOfFrames": 8}, {"PerFrameFunctionalGroupsSequence": []}]
)
def test_frames_without_positions_are_refused(tmp_path, voxels, changes):
    """GDCM would stack them as they come."""
    path = enhanced(tmp_path / "xa" / "1.dcm", voxels, list(range(9)), **changes)

    with pytest.raises(MriError, match=r"^1\.dcm: .*multi-frame files|cannot be read"):
        read_series(path)

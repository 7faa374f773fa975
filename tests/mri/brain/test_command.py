"""A brain program of the user's: what it is given, and what it may leave."""

import hashlib
import sys

import numpy as np
import pytest

from idhray.errors import ConfigError, MriError
from idhray.mri.brain.extraction import extract_brain
from idhray.mri.brain.settings import BrainSettings
from idhray.mri.volume import Volume

BRIGHT = """
import sys, numpy, nibabel
image = nibabel.load(sys.argv[1])
mask = numpy.asarray(image.dataobj) > 50
nibabel.save(nibabel.Nifti1Image(mask.astype(numpy.uint8), image.affine), sys.argv[2])
"""


@pytest.fixture
def scan():
    """Not in RAS order: i runs to the left, k to the front."""
    voxels = np.random.default_rng(0).uniform(0, 100, (10, 9, 8)).astype(np.float32)
    affine = np.array([[-2.0, 0, 0, 9], [0, 0, 3, -8], [0, 2, 0, -7], [0, 0, 0, 1]])
    return Volume(name="P1 t1ce", voxels=voxels, affine=affine)


def settings(tmp_path, program, arguments="{input} {output}", **changes):
    path = tmp_path / "program.py"
    path.write_text(program)
    command = f"{sys.executable} {path} {arguments}"
    return BrainSettings(method="command", command=command, recognize_stripped=False, **changes)


def test_its_mask_comes_back_on_the_grid_of_the_scan(scan, tmp_path):
    """It reads RAS order, whatever order the scan has."""
    found = extract_brain(scan, settings(tmp_path, BRIGHT))

    assert found.method == "command"
    np.testing.assert_array_equal(found.mask, scan.voxels > 50)


def test_a_mask_of_another_name_counts_if_it_is_the_only_one(scan, tmp_path):
    """HD-BET 2 puts `_bet` into the name."""
    program = BRIGHT.replace("sys.argv[2]", "sys.argv[2].replace('.nii.gz', '_bet.nii.gz')")

    found = extract_brain(scan, settings(tmp_path, program))

    np.testing.assert_array_equal(found.mask, scan.voxels > 50)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        pytest.param(
            "import sys; sys.exit('no weights')", "exited with code 1 .no weights.", id="fails"
        ),
        pytest.param("pass", "left 0 NIfTI files", id="leaves nothing"),
        pytest.param(
            BRIGHT.replace("image.affine", "image.affine * 2"), "another grid", id="another grid"
        ),
        pytest.param("import time; time.sleep(60)", "took more than 1.5 s", id="hangs"),
    ],
)
def test_a_program_that_fails_fails_the_case(scan, tmp_path, program, message):
    """Never a silent success."""
    with pytest.raises(MriError, match=message):
        extract_brain(scan, settings(tmp_path, program, command_timeout_s=1.5))


def test_a_program_that_is_not_there_is_named(scan):
    """A typing error, or a worker without it."""
    with pytest.raises(MriError, match="no-such-program cannot be run"):
        extract_brain(
            scan,
            BrainSettings(
                method="command",
                command="no-such-program {input} {output}",
                recognize_stripped=False,
            ),
        )


def test_weights_are_checked_before_the_program_runs(scan, tmp_path):
    """The same tool with other weights is another tool."""
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"trained")
    sha256 = hashlib.sha256(b"trained").hexdigest()
    arguments = "{input} {output} {weights}"
    good = settings(
        tmp_path, BRIGHT, arguments, weights=str(weights), weights_sha256=sha256.upper()
    )
    other = settings(tmp_path, BRIGHT, arguments, weights=str(weights), weights_sha256="0" * 64)

    assert extract_brain(scan, good).mask.any()
    with pytest.raises(MriError, match=f"its SHA-256 is {sha256}, not 000"):
        extract_brain(scan, other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "command"}, "needs `command`"),
        ({"command": "x {input} {output}"}, "needs `command`"),
        ({"method": "command", "command": "x {input}"}, "must name {input} and {output}"),
        (
            {"method": "command", "command": "x {input} {output}", "weights": "w"},
            "weights are for {weights}",
        ),
        (
            {"method": "command", "command": "x {input} {output} {weights}", "weights": "w"},
            "weights_sha256 belong together",
        ),
    ],
)
def test_half_a_command_is_refused(changes, message):
    """Before any patient is read."""
    with pytest.raises(ConfigError, match=message):
        BrainSettings(**changes)

"""FID's Inception-v3: its shape, its resizing, and files that are not its weights."""

import io

import numpy as np
import pytest
import torch

from idhray.errors import StorageError
from idhray.fidelity.inception import inception_features
from idhray.fidelity.inception_network import BlockE, InceptionV3, tensorflow1_resized


@pytest.fixture(scope="module")
def weights():
    """By a formula, so that torch-fidelity can be given the same; what the published file holds."""
    state = InceptionV3().state_dict()
    for place, name in enumerate(sorted(state)):
        count = torch.arange(state[name].numel(), dtype=torch.float64)
        wave = count.mul(12.9898).add(place).sin().mul(43758.5453).frac()
        if name.endswith("conv.weight"):
            wave *= (6 / state[name][0].numel()) ** 0.5
        elif name.endswith(("bn.weight", "running_var")):
            wave = 1 + 0.3 * wave
        state[name] = wave.view(state[name].shape).to(state[name].dtype)
    state |= {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    return {name: value for name, value in state.items() if not name.endswith("tracked")}


def write(path, state) -> str:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    path.write_bytes(buffer.getvalue())
    return str(path)


def test_features_are_those_of_torch_fidelity(weights, tmp_path):
    """Five of torch-fidelity 0.4.0's 2048 features of the same images by the same weights."""
    y, x = np.mgrid[:40, :50]
    images = np.stack([np.stack([x * y * k + p for k in (1, 2, 3)], -1) % 256 for p in (0, 50)])
    extractor = inception_features(write(tmp_path / "w.pth", weights))
    features = extractor(images.astype(np.uint8))

    assert features.shape == (2, 2048)
    torch.testing.assert_close(
        features[:, [0, 320, 1088, 1856, 2047]],
        torch.tensor(
            [
                [12.98469734, 0.02348872, 5.80729771, 0.0, 11.99448109],
                [12.93312073, 0.02239753, 5.85637045, 0.0, 12.02851295],
            ]
        ).double(),
        atol=1e-4,
        rtol=0,
    )


def test_weights_other_than_the_published_ones_are_named_as_such(weights, tmp_path):
    """Their FIDs are on another scale than those of papers."""
    extractor = inception_features(write(tmp_path / "w.pth", weights))

    assert extractor.name.startswith("Inception-v3 of w.pth (sha256 ")
    assert "not the weights of published FIDs" in extractor.name


def test_a_training_does_not_notice(weights, tmp_path):
    """Building a network draws random numbers; an exact resume would break."""
    path = write(tmp_path / "w.pth", weights)
    before = torch.get_rng_state()
    inception_features(path)

    assert torch.equal(torch.get_rng_state(), before)


def test_it_has_the_parameters_of_inception():
    """Counted by hand over Szegedy's table 1; torchvision's 23 834 568 less its head for 1000."""
    parameters = sum(p.numel() for p in InceptionV3().parameters())

    assert parameters == 23_834_568 - 2_049_000


def test_the_last_two_blocks_pool_differently():
    """The first by average, the last by maximum: the trap of FID's network."""
    torch.manual_seed(0)
    average, maximum = (BlockE(4, by_maximum=by).eval() for by in (False, True))
    maximum.load_state_dict(average.state_dict())
    x = torch.randn(1, 4, 5, 5)
    one, two = average(x), maximum(x)

    torch.testing.assert_close(one[:, :-192], two[:, :-192])
    assert not torch.allclose(one[:, -192:], two[:, -192:])


def test_resizing_is_tensorflow_1s():
    """0 4 8 twice as wide: pixel i is input i / 2, no shift by half a pixel, the last again."""
    x = torch.tensor([0.0, 4.0, 8.0]).expand(1, 1, 3, 3)
    wide = tensorflow1_resized(x, 6)

    torch.testing.assert_close(wide[0, 0, 0], torch.tensor([0.0, 2.0, 4.0, 6.0, 8.0, 8.0]))


def test_files_of_other_networks_are_refused(weights, tmp_path):
    """The message says how many tensors are wrong and which file is wanted."""
    other = {name: value for name, value in weights.items() if "Mixed_7c" not in name}

    with pytest.raises(StorageError, match=r"of 564 tensors are .*pt_inception-2015-12-05"):
        inception_features(write(tmp_path / "w.pth", other))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no archive"])
def test_files_that_are_no_weights_are_refused(content, tmp_path):
    """Nothing is unpickled but tensors."""
    (tmp_path / "w.pth").write_bytes(content)

    with pytest.raises(StorageError, match=r"w\.pth: no weights can be read"):
        inception_features(str(tmp_path / "w.pth"))


def test_a_missing_file_is_said(tmp_path):
    """It is never downloaded instead."""
    with pytest.raises(StorageError, match="no such file"):
        inception_features(str(tmp_path / "none.pth"))

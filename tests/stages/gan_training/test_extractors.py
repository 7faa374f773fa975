"""Extractors by the words of a command line: from weights in a file, never by running it."""

import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from idhray.classify.checkpoint import model_card, save_model
from idhray.classify.preprocessing import preprocess
from idhray.classify.timm_import import import_timm
from idhray.classify.trainer import fit_classifier
from idhray.errors import ConfigError, StorageError
from idhray.fidelity.channels import MRI_CHANNELS, channels_of
from idhray.fidelity.evaluation import evaluate
from idhray.fidelity.settings import PRESETS
from idhray.images import encode
from idhray.stages.gan_training.extractors import absolute_features, extractor_of
from tests.classify.made_up import image_set, tiny
from tests.fidelity.made_up_copies import smooth

timm = import_timm()
NET = "resnet10t"
RGB = smooth(12, channels=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A backbone of random weights in two files, and the folder of a trained classifier."""
    folder = tmp_path_factory.mktemp("extractors")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = timm.create_model(NET, pretrained=False).state_dict()
    torch.save(weights, folder / "net.pth")
    save_file(weights, folder / "net.safetensors")
    train, val, settings = image_set(6, 4), image_set(4, 1, first=50), tiny(epochs=1)
    state = fit_classifier(train, None, val, settings, seed=1)
    (folder / "model").mkdir()
    save_model(str(folder / "model"), state, model_card(state, train, None, val, settings, seed=1))
    return folder


@pytest.fixture(params=["timm", "timm, safetensors", "classifier"])
def words(request, files):
    """What the command line is given for each."""
    return {
        "timm": f"timm:{NET}:{files}/net.pth",
        "timm, safetensors": f"timm:{NET}:{files}/net.safetensors",
        "classifier": f"classifier:{files}/model/",
    }[request.param]


def test_features_come_again(words):
    """Built anew, they are the same to the bit, and leave torch's generator alone."""
    state = torch.get_rng_state()
    one, two = (extractor_of(words, "cpu")(RGB) for _ in range(2))

    assert torch.equal(one, two)
    assert one.std(0).mean() > 0
    assert torch.equal(torch.get_rng_state(), state)


def test_the_file_decides_not_its_format(files):
    """The same tensors in either, and no random weight is left."""
    a, b = (extractor_of(f"timm:{NET}:{files}/net.{end}", "cpu") for end in ("pth", "safetensors"))
    other = timm.create_model(NET, pretrained=False)
    torch.save(other.state_dict(), files / "other.pth")

    assert torch.equal(a(RGB), b(RGB))
    assert not torch.allclose(a(RGB), extractor_of(f"timm:{NET}:{files}/other.pth", "cpu")(RGB))


def test_a_backbone_gives_what_timm_gives(files):
    """The pooled features of the same network, at the size and normalization it was made for."""
    network = timm.create_model(NET, pretrained=False, num_classes=0)
    weights = torch.load(files / "net.pth", weights_only=True)
    network.load_state_dict({k: v for k, v in weights.items() if not k.startswith("fc.")})
    size = network.pretrained_cfg["input_size"][-1]
    flat = np.full((1, size, size, 3), 51, np.uint8)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
    with torch.no_grad():
        expected = network.eval()((torch.full((1, 3, size, size), 0.2) - mean) / std).double()
    found = extractor_of(f"timm:{NET}:{files}/net.pth", "cpu")(flat)

    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_network_of_one_size_gets_it(tmp_path):
    """A vision transformer takes no other size than its own, whatever the images' is."""
    name = "vit_tiny_patch16_224"
    save_file(timm.create_model(name, pretrained=False).state_dict(), tmp_path / "v.safetensors")
    extractor = extractor_of(f"timm:{name}:{tmp_path}/v.safetensors", "cpu")

    assert extractor(RGB[:1]).shape == (1, 192)
    assert extractor.name.endswith(", 224 px")


def test_a_classifier_sees_what_it_learned_to_see(files):
    """Gray, equalized and resized as in its training; in color its features mean nothing."""
    extractor = extractor_of(f"classifier:{files}/model", "cpu")
    gray = np.stack([preprocess(encode(image), tiny()) for image in RGB])
    luma = np.stack([preprocess(encode(image[..., ::-1]), tiny()) for image in RGB])

    assert not np.array_equal(gray, luma)
    assert not torch.allclose(extractor(RGB), extractor(RGB[..., ::-1]))
    assert extractor(RGB).shape == (12, 64)


def test_the_channels_of_all_images_are_taken(words):
    """Colors, gray, and the views of CE-T1w and FLAIR."""
    extractor = extractor_of(words, "cpu")
    gray = RGB[..., :1]
    views = channels_of(smooth(12, channels=3), MRI_CHANNELS, ("null",))

    torch.testing.assert_close(extractor(gray), extractor(gray.repeat(3, axis=-1)))
    assert set(views) == {"CE-T1w", "FLAIR", "CE-T1w + FLAIR"}
    found = [extractor(images) for images in views.values()]
    assert len({tuple(f.shape) for f in found}) == 1
    assert not torch.allclose(found[0], found[1])


def test_every_figure_names_the_extractor_and_its_weights(words):
    """Two files may have one name: part of the SHA-256 tells them apart."""
    extractor = extractor_of(words, "cpu")
    patients = [f"p{k // 3}" for k in range(12)]
    found = evaluate(
        smooth(12, channels=3, seed=1), RGB, patients, extractor, PRESETS["demo"], reference="train"
    )
    rows = list(found.rows())

    assert rows
    assert {row["extractor"] for row in rows} == {extractor.name}
    kind = "classifier of model" if words.startswith("classifier") else f"{NET} of net."
    assert extractor.name.startswith(kind)
    assert "(sha256 " in extractor.name
    assert extractor.name.endswith(" px")


class Malicious:
    """What unpickling would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_in_a_file_is_executed(tmp_path):
    """A weights file from elsewhere may be a program."""
    trap = tmp_path / "ran"
    torch.save({"conv1.0.weight": Malicious(str(trap))}, tmp_path / "bad.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Malicious(str(trap))))

    for name in ("bad", "plain"):
        with pytest.raises(StorageError, match="no weights can be read"):
            absolute_features(f"timm:{NET}:{tmp_path}/{name}.pth")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ("timm:resnet18:{}/net.pth", StorageError, "net.pth: not the weights of this network"),
        ("timm:resnet18:{}/net.safetensors", StorageError, "not the weights of this network"),
        ("timm:no_such_net:{}/net.pth", ConfigError, "'no_such_net' is not a network of timm"),
        ("timm:resnet10t:{}/none.pth", StorageError, "none.pth"),
        ("timm:resnet10t:{}/text.pth", StorageError, "text.pth: no weights can be read"),
        ("timm:resnet10t:{}/text.safetensors", StorageError, "no weights can be read"),
        ("timm:resnet10t:{}/empty.pth", StorageError, "no weights can be read"),
        ("timm:resnet10t:{}/half.pth", StorageError, "no weights can be read"),
        ("timm:resnet10t:{}/list.pth", StorageError, "holds no state_dict"),
        ("timm:resnet10t:{}", StorageError, "extractors"),
        ("timm:resnet10t", ConfigError, "features must be"),
        ("classifier:{}", StorageError, "no model.json, so the training is not finished"),
        ("classifier:{}/none", StorageError, "no model.json"),
        ("classifier:", ConfigError, "features must be"),
        ("inception:{}/net.pth", StorageError, "not the weights of FID's Inception-v3"),
        ("inception:{}/none.pth", StorageError, "none.pth"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(files, words, error, said):
    """Before any image is made, and with the path."""
    (files / "text.pth").write_text("no weights")
    (files / "text.safetensors").write_text("no weights")
    (files / "empty.pth").write_bytes(b"")
    (files / "half.pth").write_bytes((files / "net.pth").read_bytes()[:5000])
    torch.save([1, 2], files / "list.pth")

    with pytest.raises(error, match=said) as caught:
        absolute_features(words.format(files))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500

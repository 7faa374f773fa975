"""Checks of libraries: each fails where the library does."""

import dataclasses
import socket

import imagecodecs
import pytest
import torch

from idhray.stages.checkup import libraries
from idhray.stages.checkup.libraries import ROUND_TRIPS, codecs, encoder_weights, gpus, torch_works


def raising(*_, **__):
    raise RuntimeError("no such codec")


def test_all_codecs_and_openslide_decode_here():
    """The machine of the tests must be ready, or other tests tell nothing."""
    assert [finding.state for finding in codecs()] == ["ok"] * (len(ROUND_TRIPS) + 1)


def test_a_missing_codec_is_named_with_a_remedy(monkeypatch):
    """Builds of imagecodecs leave codecs out; slides of one scanner would then fail one by one."""
    monkeypatch.setattr(imagecodecs, "jpeg2k_decode", raising, raising=False)
    broken = [finding for finding in codecs() if finding.state != "ok"]

    assert [finding.line() for finding in broken] == [
        "failed   codec JPEG 2000: no such codec; install idhray again in an empty "
        "environment: pip install . -c constraints.txt"
    ]


def test_an_openslide_that_reads_wrongly_fails(monkeypatch):
    """Some builds of pixman damaged levels of a pyramid without an error."""
    monkeypatch.setattr(libraries.openslide.OpenSlide, "read_region", lambda *_: libraries.PIXELS)
    assert codecs()[-1].state == "ok"
    monkeypatch.setattr(
        libraries.openslide.OpenSlide, "read_region", lambda *_: libraries.PIXELS[::-1]
    )

    assert codecs()[-1].text == "a tiny slide is read wrongly"


def test_a_wrong_matrix_product_fails(monkeypatch):
    """A broken BLAS would spoil every training."""
    assert torch_works().state == "ok"
    monkeypatch.setattr(torch, "ones", torch.zeros)

    assert torch_works().state == "failed"


def test_a_machine_without_a_gpu_is_warned_and_a_hidden_gpu_fails(monkeypatch):
    """A driver that torch does not see would train for weeks on CPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [finding.state for finding in gpus()] == ["warning"]
    monkeypatch.setattr(libraries.Path, "exists", lambda self: str(self) == "/dev/nvidia0")

    assert gpus()[0].line().startswith("failed   GPU: this machine has one, torch cannot use it")


def test_other_weights_fail_by_their_digest(monkeypatch, tmp_path):
    """A download that stopped half way would give features of noise."""
    file = tmp_path / "weights.pth"
    file.write_bytes(b"half of it")
    name, encoder = next(iter(libraries.ENCODERS.items()))
    other = dataclasses.replace(encoder, weights=lambda: str(file))
    monkeypatch.setitem(libraries.ENCODERS, name, other)

    assert encoder_weights()[0].text == "other bytes than those that were tested"


@pytest.mark.parametrize(
    ("variables", "state", "text"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "warning", "HF_HUB_OFFLINE is set"),
        ({"HTTPS_PROXY": "http://me:secret@proxy:3128"}, "ok", "proxy:3128"),
        ({}, "warning", "does not answer (no network)"),
    ],
)
def test_offline_machines_and_proxies_are_told_apart(monkeypatch, variables, state, text):
    """Weights by name fail on such machines after minutes, in a worker; passwords are not shown."""

    def unreachable(*_, **__):
        raise OSError("no network")

    for name in ("HF_HUB_OFFLINE", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "create_connection", unreachable)
    finding = libraries.weights_by_name()

    assert finding.state == state
    assert text in finding.text
    assert "secret" not in finding.text


def test_missing_weights_of_brain_extraction_are_warned_of(monkeypatch):
    """Without them prepare-mri fails at the first patient."""
    monkeypatch.setattr(libraries, "find_spec", lambda _: None)

    assert {finding.state for finding in libraries.brain_weights()} == {"warning"}

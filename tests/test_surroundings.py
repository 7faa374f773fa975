"""Faults of the surroundings of a command."""

import os
import socket
import tempfile
import threading

import pytest

from idhray import surroundings
from idhray.errors import ConfigError
from idhray.surroundings import check_address, check_surroundings, ray_folder


def test_a_deleted_working_folder_is_one_line(tmp_path, monkeypatch):
    """torch and Ray end in a traceback there."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    try:
        with pytest.raises(ConfigError, match="working folder was deleted"):
            check_surroundings([])
    finally:
        os.chdir(tmp_path)


def test_an_argument_that_the_locale_cannot_represent_is_one_line():
    """With LC_ALL=C, the name of a file may be no text; it would fail in a worker."""
    check_surroundings(["--out", "M\u00fcller \u2212 \U0001f9e0"])
    with pytest.raises(ConfigError, match=r"'/M\\udcc3\\udcbc': the locale cannot represent"):
        check_surroundings(["--out", "/M\udcc3\udcbc"])


@pytest.fixture
def temporary(monkeypatch):
    """Set TMPDIR for this process."""

    def set_to(folder):
        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)

    return set_to


def test_a_folder_with_a_long_path_is_reached_by_a_short_link(tmp_path, temporary):
    """Paths of sockets end at 107 bytes; TMPDIR of a batch system is often longer with Ray's."""
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    temporary(folder)
    short = ray_folder()

    assert short == ray_folder()
    assert len(short) < 40
    assert os.path.realpath(short) == os.path.realpath(folder / "ray")
    os.unlink(short)


def test_a_folder_that_is_gone_or_a_file_is_replaced(tmp_path, temporary):
    """Ray would end in a traceback; Python itself takes the next folder."""
    (tmp_path / "file").touch()
    temporary(tmp_path / "file")
    assert ray_folder() == "/tmp/ray"
    temporary("/tmp")
    assert ray_folder() is None


def test_a_folder_of_another_user_is_replaced_by_a_private_one(tmp_path, temporary, monkeypatch):
    """On a shared machine, /tmp/ray belongs to whoever started Ray first."""
    (tmp_path / "ray").mkdir()
    temporary(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: path != f"{tmp_path}/ray")
    monkeypatch.setattr(surroundings, "SOCKET_BYTES", 300)
    private = ray_folder()

    assert private == f"{tmp_path}/ray-{os.getuid()}" == ray_folder()
    assert os.stat(private).st_mode & 0o777 == 0o700
    os.rmdir(private)
    os.symlink("/", private)  # a trap
    assert ray_folder().startswith(f"{private}-")


def test_a_folder_that_was_chosen_for_ray_and_cannot_be_used_is_refused(tmp_path, monkeypatch):
    """Somewhere else would not be what was asked for."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"RAY_TMPDIR=.*not a folder that can be written to"):
        ray_folder()


@pytest.fixture
def server():
    """A server on this machine that answers each connection with some bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def start(answer):
        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.close()


def test_an_address_where_nobody_answers_is_one_line_within_seconds():
    """RAY_ADDRESS of a cluster that is gone cost 839 s of silence."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "no.such.host.invalid:6379"):
        with pytest.raises(
            ConfigError, match=r"no Ray cluster answers there \(.*unset RAY_ADDRESS"
        ):
            check_address(address, patience_s=0)


def test_a_server_of_another_kind_is_told_from_a_cluster(server):
    """Ray would wait for it to speak gRPC."""
    address = server(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ConfigError, match="what answers is no gRPC server"):
        check_address(address, patience_s=0)


def test_a_server_that_greets_in_http_2_passes(server):
    """A SETTINGS frame is the first that a gRPC server sends."""
    check_address(server(bytes([0, 0, 6, 4, 0, 0, 0, 0, 0])), patience_s=0)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:8265", "for `ray job submit`"),
        ("https://head/", "for `ray job submit`"),
        ("head", "write HOST:PORT"),
        ("head:99999", "write HOST:PORT"),
        ("head:63 79", "write HOST:PORT"),
        ("", "write HOST:PORT"),
    ],
)
def test_a_malformed_address_is_one_line(address, message):
    """`ray job submit` wants RAY_ADDRESS with http://, which Ray itself cannot use."""
    with pytest.raises(ConfigError, match=message):
        check_address(address, patience_s=0)


def test_ray_s_words_for_no_address_pass():
    """They name no machine."""
    check_address("local")
    check_address("auto")

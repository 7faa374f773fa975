"""Checks of what surrounds a command: working folder, temporary folders, address of the cluster.

Each fault is one line before any work starts, not a traceback or a silent wait after minutes.
"""

import hashlib
import os
import re
import socket
import stat
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from idhray.errors import ConfigError

SOCKET_BYTES = 107
"""Longest path of a Unix socket."""
RAY_SOCKET_BYTES = 68
"""Bytes that Ray adds to its folder for a socket: session, process and names."""
CONNECT_S = 5.0
PATIENCE_S = 15.0
"""A cluster that is being started may answer after some seconds."""
HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""First bytes of a gRPC client: preface and empty SETTINGS frame (RFC 9113, section 3.4)."""
SETTINGS_FRAME = 4
_ADDRESS = re.compile(r"(?P<client>ray://)?(?P<host>\[[^\]]+\]|[^:/\[\]]+):(?P<port>\d{1,5})")


def check_surroundings(arguments: Sequence[str]) -> None:
    """Refuse a command whose working folder is gone or whose arguments cannot be decoded.

    Args:
        arguments: Arguments of the command line.

    Raises:
        ConfigError: naming the fault and the remedy.
    """
    try:
        os.getcwd()
    except OSError:
        raise ConfigError(
            "the working folder was deleted or cannot be read; change to another one (cd) first"
        ) from None
    for argument in arguments:
        if not argument.isprintable() and any("\udc80" <= c <= "\udcff" for c in argument):
            raise ConfigError(
                f"{argument!a}: the locale cannot represent this argument; set PYTHONUTF8=1 "
                "or a UTF-8 locale such as LC_ALL=C.UTF-8"
            )


def ray_folder() -> str | None:
    """Folder for a Ray that is started here; None for Ray's default.

    Ray takes RAY_TMPDIR or TMPDIR as it is. A TMPDIR that cannot be used is replaced by Python's
    choice, a private folder replaces a folder `ray` of another user, and a link stands for a path
    that is too long for sockets.

    Raises:
        ConfigError: RAY_TMPDIR cannot be used, or no folder can.
    """
    chosen = os.environ.get("RAY_TMPDIR")
    if chosen and not _is_usable(chosen):
        raise ConfigError(
            f"RAY_TMPDIR={chosen}: not a folder that can be written to; set it to one on a local "
            "disk, or unset it"
        )
    parent = chosen or _temporary_folder()
    folder = os.path.join(parent, "ray")
    if os.path.lexists(folder) and not os.access(folder, os.W_OK | os.X_OK):
        folder = _private_folder(parent)
        return folder if _is_short(folder) else _short_link(folder)
    if not _is_short(folder):
        return _short_link(folder)
    return None if parent == (chosen or os.environ.get("TMPDIR", "/tmp")) else folder


def _private_folder(parent: str) -> str:
    """Folder of this user; another name where somebody else took the usual one."""
    folder = os.path.join(parent, f"ray-{os.getuid()}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        state = os.lstat(folder)
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
            return tempfile.mkdtemp(prefix=f"ray-{os.getuid()}-", dir=parent)
    return folder


def _temporary_folder() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        raise ConfigError(
            "no folder for temporary files can be written to; set TMPDIR to one on a local disk"
        ) from None


def _is_usable(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _is_short(folder: str) -> bool:
    return len(os.fsencode(os.path.abspath(folder))) + RAY_SOCKET_BYTES <= SOCKET_BYTES


def _short_link(folder: str) -> str:
    """Link to a folder with a long path, whose own path is short.

    Raises:
        ConfigError: no short path can be written to.
    """
    os.makedirs(folder, exist_ok=True)
    name = f"idhray-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}-{os.getuid()}"
    for parent in ("/tmp", "/var/tmp", "/dev/shm"):
        link = Path(parent, name)
        try:
            if not link.is_symlink():
                link.symlink_to(folder)
        except FileExistsError:
            pass  # another run made it
        except OSError:
            continue
        if link.is_symlink() and os.path.realpath(link) == os.path.realpath(folder):
            return str(link)
    raise ConfigError(
        f"{folder}: Ray's sockets need a shorter path; set RAY_TMPDIR to a folder on a local disk "
        f"of at most {SOCKET_BYTES - RAY_SOCKET_BYTES} characters"
    )


def check_address(address: str, *, patience_s: float = PATIENCE_S) -> None:
    """Refuse the address of a Ray cluster that nobody answers at.

    Ray itself would try for many minutes without a word.

    Args:
        address: Value of --address or RAY_ADDRESS.
        patience_s: Seconds in which a cluster that is starting may answer.

    Raises:
        ConfigError: the address is malformed, or no Ray cluster answers there.
    """
    if address in ("local", "auto"):
        return
    if re.match(r"https?://", address):
        raise ConfigError(
            f"{address} is the address of a dashboard, for `ray job submit`; a command needs the "
            "cluster's own, such as HOST:6379 (unset RAY_ADDRESS to start Ray here)"
        )
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ConfigError(f"{address}: not the address of a Ray cluster; write HOST:PORT, or auto")
    host, port = match["host"].strip("[]"), int(match["port"])
    deadline = time.monotonic() + patience_s
    while fault := _fault(host, port):
        if time.monotonic() > deadline:
            raise ConfigError(
                f"{address}: no Ray cluster answers there ({fault}); start it, correct --address "
                "or RAY_ADDRESS, or unset RAY_ADDRESS to start Ray here"
            )
        time.sleep(1)


def _fault(host: str, port: int) -> str:
    """Reason why no gRPC server answers at an address; "" if one does."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return ""
            connection.settimeout(CONNECT_S)
            connection.sendall(HTTP2_HELLO)
            answer = connection.recv(9)
    except OSError as error:
        return str(error.strerror or error)
    is_grpc = len(answer) > 3 and answer[3] == SETTINGS_FRAME  # after a length of 3 bytes
    return "" if is_grpc else "what answers is no gRPC server"


def use_writable_caches() -> None:
    """Give matplotlib a folder for its cache where the home folder cannot be written to.

    It would otherwise print a warning, or make a new folder in every process.
    """
    home = os.path.expanduser("~")
    if "MPLCONFIGDIR" in os.environ or os.access(home, os.W_OK):
        return
    folder = os.path.join(tempfile.gettempdir(), f"idhray-cache-{os.getuid()}")
    if _is_usable(folder):
        os.environ["MPLCONFIGDIR"] = folder

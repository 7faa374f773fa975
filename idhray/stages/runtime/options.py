"""Flags that several commands share.

The flags of a command are the fields of one dataclass in the file of its stage; `idhray.cli` makes
the command line from them, and the docstring of a field is its help text.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Flags of every command that runs on Ray and writes a folder."""

    address: str | None = None
    """Address of a running Ray cluster. Without it, Ray starts on this machine."""
    cluster_gpus: Literal["yes", "no"] | None = None
    """Answer to the question whether the cluster starts GPU nodes on demand. With `yes`, trainings
    ask for GPUs that are not there yet. Default: the environment variable IDHRAY_CLUSTER_GPUS, else
    no: the GPUs that are there when the command starts decide."""
    room_timeout: float | None = None
    """Seconds to wait for a cluster that has no machine large enough for one task, but may grow.
    Default: 1800."""
    node_labels: tuple[str, ...] = ()
    """Labels of the machines on which the work may run, such as `group=spot` or
    `ray.io/market-type=!spot`; also `KEY=in(A,B)` and `KEY=!in(A,B)`. Default: all machines. The
    command itself runs where it was started."""
    overwrite: bool = False
    """Delete what an earlier run with other settings or inputs left in the output folder, and start
    again."""
    dry_run: bool = False
    """Print what would be read and written, the state of the folder and the time of the work that
    is left by what is done in it, and stop."""


@dataclass(frozen=True, kw_only=True)
class ItemFlags(RunFlags):
    """Flags of every command that processes many inputs independently of each other."""

    workers: int | None = None
    """Inputs processed at the same time. Default: one for each CPU."""
    max_failures: int = 0
    """Inputs that may fail before the command exits with an error. All other inputs are processed
    in either case."""


@dataclass(frozen=True, kw_only=True)
class TableFlags(ItemFlags):
    """Flags of every command that makes a table of images, which follows its inputs."""

    update: bool = False
    """Remove rows of inputs that are gone from the manifest, also if these are more than a fifth of
    the table."""


@dataclass(frozen=True, kw_only=True)
class FileTableFlags(TableFlags):
    """Flags of every command that makes a table of images from large files."""

    part: str = ""
    """Share of the inputs to work on, such as 3/16 for the third of 16, in a job array. All tasks
    write to the same folder; at the end, the command without this flag finishes it."""
    verify_inputs: bool = False
    """Read the input files again and compare them with the digests that were recorded when they
    were first read; work again on those that differ. Without this flag, name and size decide. Scans
    are compared whole, slides of more than 2 MiB in a window of each MiB."""

"""Computation of a training: precision, compiled phases, parts of a batch.

Except for rounding, none of it changes the result. A phase is one loss of a step as a function of
tensors. It is compiled as a whole, once for each shape.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan.checks import STD_GROUP
from idhray.gan.compiled import PROVEN, UNPROVEN, CompiledPhases, forget_compiled

Precision = Literal["auto", "float32", "bfloat16", "float16"]

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LARGEST_SLOPE = 1e5


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Precision, compilation and batch parts of a training."""

    precision: Precision = "auto"
    """Type of the feature maps in the main phases; weights, norms, scores, losses and all penalties
    are float32. "auto": bfloat16 on a GPU that has it, float16 on an older one, float32 without a
    GPU. In bfloat16 the gradients of R1 and path lengths have a cosine of 0.90 to 0.97 with the
    exact ones, those of the main phases 0.995 and more. float16 is more exact, but feature maps are
    clamped, and slopes that still overflow are replaced."""
    compile: bool = False
    """Compile each phase (torch.compile): it takes a minute or more; later steps are faster. A
    phase that cannot be compiled, as without a C++ compiler, runs as it is."""
    cuda_graphs: bool = False
    """Compile, and replay each phase as one CUDA graph: for small steps, which spend their time on
    starting kernels. Without a GPU phases are only compiled."""
    micro_batch: int | None = None
    """Images that a worker holds at a time; gradients of the parts are added up. Its whole share by
    default."""
    deterministic: bool = False
    """Use only kernels that give the same bits each time, on the same kind of GPU. Without it, a
    training on a GPU that resumes differs in rounding from an unbroken one. A CPU is exact."""
    phases: CompiledPhases = field(default_factory=CompiledPhases, compare=False, repr=False)
    """Record of the phases that were compiled; filled while the training runs."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be used.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        if self.precision not in get_args(Precision):
            raise ConfigError(
                f"precision must be one of {get_args(Precision)}, got {self.precision!r}"
            )
        if self.micro_batch is not None and (
            self.micro_batch < STD_GROUP or self.micro_batch % STD_GROUP
        ):
            raise ConfigError(
                f"micro_batch must be a multiple of {STD_GROUP}, got {self.micro_batch}"
            )

        if self.cuda_graphs and self.micro_batch is not None:
            # The next replay overwrites the memory of the slopes, so parts would not add up.
            raise ConfigError(
                "cuda_graphs takes whole batches: give --cuda-graphs or --micro-batch, not both"
            )

    def dtype(self, device: torch.device) -> torch.dtype:
        """Type of the feature maps in the main phases."""
        if self.precision != "auto":
            return _TYPES[self.precision]
        if device.type != "cuda":
            return torch.float32
        # By default torch counts emulated bfloat16, which is slow, as support.
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if supported else torch.float16

    def parts(self, size: int) -> list[slice]:
        """Parts of a worker's share of a batch, by `micro_batch`."""
        step = self.micro_batch or size
        return [slice(first, min(first + step, size)) for first in range(0, size, step)]

    def set_up(self, device: torch.device) -> None:
        """Choose the kernels of this process: the fastest ones, or those that repeat their bits.

        Float32 convolutions use TF32 in both cases (11 of 24 bits), as is torch's default; matrix
        products do not.
        """
        if device.type != "cuda":
            return
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = not self.deterministic
        if self.deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read at cuBLAS's start
        torch.use_deterministic_algorithms(self.deterministic)

    @property
    def compiles(self) -> bool:
        """True if phases are to be compiled."""
        return self.compile or self.cuda_graphs

    @property
    def uncompiled(self) -> dict[str, str]:
        """Phase that runs as it is although it was to be compiled -> reason."""
        return self.phases.uncompiled

    def phase(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if the settings ask for it and this machine can do it."""
        if not self.compiles:
            return function
        return self.phases.phase(function, graphs=self.cuda_graphs)

    def restart_compiler(self) -> None:
        """Delete compiled phases before those of other networks are made."""
        if self.compiles:
            forget_compiled()

    def facts(self, architecture: str, device: torch.device) -> dict[str, Any]:
        """Precision, compilation and graphs as they ran, not as they were asked for.

        Args:
            architecture: Name of the architecture of the networks.
            device: Device of the training.
        """
        graphs = self.cuda_graphs and device.type == "cuda" and self.phases.replays_graphs()
        ways = {"compiled": bool(self.phases.compiled), "CUDA graphs": graphs}
        unproven = [way for way, ran in ways.items() if ran and (architecture, way) not in PROVEN]
        return {
            "precision": str(self.dtype(device)).removeprefix("torch."),
            "compile": bool(self.phases.compiled) and not self.uncompiled,
            "compiled": sorted(self.phases.compiled),
            **({"uncompiled": dict(self.uncompiled)} if self.uncompiled else {}),
            "cuda_graphs": graphs,
            **({UNPROVEN: unproven} if unproven and device.type == "cuda" else {}),
            **(_kernels() if device.type == "cuda" else {}),
            "micro_batch": self.micro_batch,
        }


def _kernels() -> dict[str, Any]:
    """TF32 and determinism of a GPU's kernels in this process."""
    return {
        "tf32_convolutions": torch.backends.cudnn.allow_tf32,
        "tf32_products": torch.backends.cuda.matmul.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@contextlib.contextmanager
def only(network: nn.Module, other: nn.Module) -> Iterator[None]:
    """Within, only `network` gets gradients; frozen parameters stay frozen."""
    trainable = [p for p in other.parameters() if p.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def descend(
    optimizer: Optimizer | None,
    losses: Iterator[Tensor],
    worker: Worker,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Step of one network by the mean of all workers' gradients; returns the sum of the losses.

    Each loss is that of one part of the batch. It is computed, differentiated and freed before the
    next one.

    Args:
        dtype: Type of the feature maps. Slopes through float16 may overflow; those are replaced. In
            other types an overflow shows that a training has gone wrong.
    """
    assert optimizer is not None
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    total = torch.zeros((), device=parameters[0].device)
    for loss in losses:
        loss.backward(inputs=parameters)
        total += loss.detach()
    for parameter in parameters:
        if parameter.grad is None:  # e.g. a bias without influence; Adam must count the step
            parameter.grad = torch.zeros_like(parameter)
        if dtype == torch.float16:
            parameter.grad.nan_to_num_(0.0, _LARGEST_SLOPE, -_LARGEST_SLOPE)
    worker.average(p.grad for p in parameters)
    optimizer.step()
    return total

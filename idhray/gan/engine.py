"""Computation of a training: precision, compiled phases, parts of a batch.

Except for rounding, none of it changes the result. A phase is one loss of a step as a function of
tensors. It is compiled as a whole, once for each shape.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_map_only

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan.checks import STD_GROUP

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
    starting kernels. GPU only; not yet run on one."""
    micro_batch: int | None = None
    """Images that a worker holds at a time; gradients of the parts are added up. Its whole share by
    default."""
    uncompiled: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Phase that could not be compiled -> reason; filled while the training runs."""

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
            raise ConfigError("cuda_graphs takes whole batches; leave micro_batch out")

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

    def phase(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if the settings ask for it and this machine can do it."""
        if self.cuda_graphs:
            graphed = torch.compile(function, fullgraph=True, dynamic=False, mode="reduce-overhead")
            return _or_plain(function, _with_copied_results(graphed), self.uncompiled)
        if self.compile:
            compiled = torch.compile(function, fullgraph=True, dynamic=False)
            return _or_plain(function, compiled, self.uncompiled)
        return function


def _with_copied_results(graphed: Callable[..., Any]) -> Callable[..., Any]:
    """The function with copied results, as the next replay overwrites their memory.

    A loss is differentiated before the next replay, so it is not copied.
    """

    def call(*args: Any, **named: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        results = graphed(*args, **named)
        return tree_map_only(Tensor, lambda x: x if x.requires_grad else x.clone(), results)

    return call


def _or_plain(
    function: Callable[..., Any], fast: Callable[..., Any], uncompiled: dict[str, str]
) -> Callable[..., Any]:
    """`fast`, which compiles at its first call, or `function` if that fails, which is recorded."""
    chosen: list[Callable[..., Any]] = []

    def call(*args: Any, **named: Any) -> Any:
        if chosen:
            return chosen[0](*args, **named)
        try:
            results = fast(*args, **named)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  compilers raise errors of many types
            reason = " ".join(str(error).split()).split(" Set TORCH")[0][:300]
            name = getattr(function, "__name__", "phase").strip("_")
            uncompiled[name] = f"{type(error).__name__}: {reason}"
            chosen.append(function)
            return function(*args, **named)
        chosen.append(fast)
        return results

    return call


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

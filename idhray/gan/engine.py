"""How a GAN's numbers are computed: precision, compiled phases, parts of a batch.

None of it changes what is trained, but for rounding. A phase is one loss of a step as a function of
tensors; it is compiled as a whole, once for each shape.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How the numbers are computed."""

    precision: Precision = "auto"
    """Of the networks' feature maps in the main phases; weights, norms, scores, losses and all
    penalties are float32. "auto": bfloat16 on a GPU that has it, float16 on an older one, float32
    without a GPU. In bfloat16 the gradients of R1 and path lengths have a cosine of 0.90 to 0.97
    with the exact ones, those of the main phases 0.995 and more. float16 is more exact, but feature
    maps are kept within bounds, and slopes that overflow all the same are replaced."""
    compile: bool = False
    """Compile each phase (torch.compile): a minute or more at the start, then faster steps."""
    cuda_graphs: bool = False
    """Compile, and replay each phase as one CUDA graph: for small steps, whose time goes into
    starting kernels. On a GPU only; it has not been run on one yet."""
    micro_batch: int | None = None
    """Images that a worker holds at a time; gradients of the parts are added up. All of its share
    when not given."""

    def __post_init__(self) -> None:
        """Refuse nonsense.

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
            # Slopes lie in memory that the next replay writes to, so parts would not add up.
            raise ConfigError("cuda_graphs takes whole batches; leave micro_batch out")

    def dtype(self, device: torch.device) -> torch.dtype:
        """Of the feature maps in the main phases."""
        if self.precision != "auto":
            return _TYPES[self.precision]
        if device.type != "cuda":
            return torch.float32
        # Emulated bfloat16, which torch counts as support unless told otherwise, is slow.
        good = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if good else torch.float16

    def parts(self, size: int) -> list[slice]:
        """A worker's share of a batch, cut where it must be."""
        step = self.micro_batch or size
        return [slice(first, min(first + step, size)) for first in range(0, size, step)]

    def phase(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if the settings ask for it and this machine can."""
        if self.cuda_graphs:
            graphed = torch.compile(function, fullgraph=True, dynamic=False, mode="reduce-overhead")
            return _or_plain(function, _kept(graphed))
        if self.compile:
            return _or_plain(function, torch.compile(function, fullgraph=True, dynamic=False))
        return function


def _kept(graphed: Callable[..., Any]) -> Callable[..., Any]:
    """Results without a slope are copied: they lie in memory that the next replay writes to.

    A loss is differentiated before that.
    """

    def call(*args: Any, **named: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        found = graphed(*args, **named)
        return tree_map_only(Tensor, lambda x: x if x.requires_grad else x.clone(), found)

    return call


def _or_plain(function: Callable[..., Any], fast: Callable[..., Any]) -> Callable[..., Any]:
    """`fast`, compiled at its first call; the function, with a warning why, where that fails."""
    chosen: list[Callable[..., Any]] = []

    def call(*args: Any, **named: Any) -> Any:
        if chosen:
            return chosen[0](*args, **named)
        try:
            found = fast(*args, **named)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001  the compilers raise whatever they like
            why = " ".join(str(error).split())[:300]
            name = getattr(function, "__name__", "phase")
            logger.warning("%s is not compiled (%s: %s)", name, type(error).__name__, why)
            chosen.append(function)
            return function(*args, **named)
        chosen.append(fast)
        return found

    return call


@contextlib.contextmanager
def only(network: nn.Module, other: nn.Module) -> Iterator[None]:
    """Gradients for `network` alone; what is frozen stays so."""
    held = [p for p in other.parameters() if p.requires_grad]
    for parameter in held:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in held:
            parameter.requires_grad_(True)


def descend(
    optimizer: Optimizer | None,
    losses: Iterator[Tensor],
    worker: Worker,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """One step of one network, by the mean of all workers' gradients; the sum of the losses.

    Each loss is a part of the batch's. It is computed, differentiated and let go before the next.

    Args:
        dtype: Of the feature maps; slopes through float16 may overflow, and are replaced where
            they do. In other types they show that a training has gone wrong.
    """
    assert optimizer is not None
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    optimizer.zero_grad()
    total = torch.zeros((), device=parameters[0].device)
    for loss in losses:
        loss.backward(inputs=parameters)
        total += loss.detach()
    for parameter in parameters:
        if parameter.grad is None:  # a bias that moves no slope, say; Adam is to count the step
            parameter.grad = torch.zeros_like(parameter)
        if dtype == torch.float16:
            parameter.grad.nan_to_num_(0.0, _LARGEST_SLOPE, -_LARGEST_SLOPE)
    worker.average(p.grad for p in parameters)
    optimizer.step()
    return total

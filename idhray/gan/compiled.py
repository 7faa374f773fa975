"""Phases of a training that are compiled, and a record of those that really were.

A compiled phase is a function of tensors with the same results but for rounding. If a call cannot
be compiled, or fails compiled, the phase runs as it is from then on, and the reason is recorded.

With CUDA graphs, the next replay of any phase overwrites the results and slopes of the last one.
So results are copied, and a step of the optimizer must follow one backward pass: slopes of two
passes would not add up.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

Phase = Callable[..., Any]

UNPROVEN = "not yet run on a GPU"
PROVEN: frozenset[tuple[str, str]] = frozenset()
"""(architecture, "compiled" or "CUDA graphs") that `benchmarks/gpu_first_contact.py` has run on a
GPU and found equal to the plain training."""
REASON_LENGTH = 300  # characters


@dataclass
class CompiledPhases:
    """Names of the phases of a training that ran compiled, and of those that did not."""

    compiled: set[str] = field(default_factory=set)
    uncompiled: dict[str, str] = field(default_factory=dict)
    """Phase that runs as it is although it was to be compiled -> reason."""
    skipped_graphs: int = 0
    """CUDA graphs that torch had refused in this process before the training."""

    def __post_init__(self) -> None:
        self.skipped_graphs = _skipped_graphs()

    def phase(self, function: Phase, *, graphs: bool) -> Phase:
        """The function, compiled at its first call for each shape, or as it is if that fails.

        Args:
            function: Function of tensors, differentiable.
            graphs: Replay it as one CUDA graph.
        """
        options: dict[str, Any] = {"mode": "reduce-overhead"} if graphs else {}
        fast: Phase = torch.compile(function, fullgraph=True, dynamic=False, **options)
        if graphs:
            fast = _with_copied_results(fast)
        name = getattr(function, "__name__", "phase").strip("_")

        def call(*args: Any, **named: Any) -> Any:
            if name not in self.uncompiled:
                try:
                    results = fast(*args, **named)
                except torch.OutOfMemoryError:
                    raise
                except Exception as error:  # noqa: BLE001  compilers raise errors of many types
                    self.uncompiled[name] = _reason(error)
                    self.compiled.discard(name)
                else:
                    self.compiled.add(name)
                    return results
            return function(*args, **named)

        return call

    def replays_graphs(self) -> bool:
        """True if torch has captured every compiled phase as a CUDA graph, as far as it tells."""
        return bool(self.compiled) and _skipped_graphs() == self.skipped_graphs


def forget_compiled() -> None:
    """Delete all compiled code: torch allows 8 versions of a function, and keeps all of them."""
    torch.compiler.reset()


def _skipped_graphs() -> int:
    dynamo = sys.modules.get("torch._dynamo.utils")  # its import takes a second
    return int(dynamo.counters["inductor"]["cudagraph_skips"]) if dynamo else 0


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).split(" Set TORCH")[0]
    return f"{type(error).__name__}: {text[:REASON_LENGTH]}"


def _with_copied_results(graphed: Phase) -> Phase:
    """The function with copied results, as the next replay overwrites their memory.

    A loss is differentiated before the next replay, so it is not copied.
    """

    def call(*args: Any, **named: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        results = graphed(*args, **named)
        return tree_map_only(Tensor, lambda x: x if x.requires_grad else x.clone(), results)

    return call

"""A trained network as an ONNX file, compared with the network before it is written."""

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from idhray.errors import ConfigError, StorageError

OPSET = 18


def import_onnx(name: str) -> ModuleType:
    """A module of the optional extra: onnx, onnxscript or onnxruntime.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(
            f"ONNX files need the package {name}: pip install 'idhray[onnx]'"
        ) from None


def onnx_bytes(
    network: nn.Module,
    example: Tensor,
    *,
    input_name: str,
    output_name: str,
    any_number: bool,
    metadata: Mapping[str, str],
) -> bytes:
    """The file of a network with one input and one output.

    Args:
        network: Network on the CPU; it is set to inference.
        example: An input; its first axis counts the images.
        input_name: Name of the input.
        output_name: Name of the output.
        any_number: The file takes any number of images, not that of the example only.
        metadata: Entries that the file holds.

    Raises:
        ConfigError: the packages are not installed.
    """
    onnx = import_onnx("onnx")
    import_onnx("onnxscript")
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):  # they tell of every pass
        logging.getLogger(name).setLevel(logging.WARNING)
    # An axis of one image would become a constant of the file.
    inputs = torch.cat([example, example]) if any_number and len(example) == 1 else example
    axes = ({0: torch.export.Dim("images", min=1)},) if any_number else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
        program = torch.onnx.export(
            network.eval(), (inputs,), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=[input_name], output_names=[output_name], dynamic_shapes=axes,
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, dict(metadata))
    file = io.BytesIO()
    onnx.save_model(model, file)
    return file.getvalue()


def refuse_other_results(
    data: bytes,
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    tolerance: float,
) -> float:
    """Largest difference between the file's results and the network's.

    Args:
        data: Content of the file.
        network: Network that it was made from.
        inputs: Inputs to compare at, in the number that the file takes.
        tolerance: Largest difference that is allowed, in units of the result.

    Raises:
        StorageError: they differ by more.
    """
    session = import_onnx("onnxruntime").InferenceSession(data, providers=["CPUExecutionProvider"])
    (results,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    with torch.no_grad():
        expected = network(inputs).numpy()
    difference = _largest(results, expected)
    if not difference <= tolerance:
        raise StorageError(
            f"the ONNX file differs from the network by {difference:.2g}, more than "
            f"{tolerance:.2g}; it is not written"
        )
    return difference


def _largest(results: NDArray[Any], expected: NDArray[Any]) -> float:
    if results.shape != expected.shape:
        return float("inf")
    return float(np.abs(results.astype(np.float64) - expected.astype(np.float64)).max())

"""Import of torchvision beside a torch for which its C++ operators were not built.

PyPI's torchvision wheel cannot load its C++ operators beside a CPU-only torch. It then skips most
of them, but still registers fake kernels for `nms` and `qnms`, so its import fails with
`operator torchvision::nms does not exist`. timm and diffusers import torchvision for functions that
idhray does not use. If the two operators are declared without a kernel, these imports succeed, and
only calls to them, in object detection, raise torch's error. If the C++ operators load, nothing is
declared.
"""

import importlib

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # operators vanish with their Library object


def import_torchvision() -> None:
    """Import torchvision, and declare `nms` and `qnms` if it fails because they are missing.

    The import is tried first, because a real C++ operator cannot be loaded over a declared one.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = torch.library.Library("torchvision", "DEF")
        library.define(f"nms{_SIGNATURE}")
        library.define(f"qnms{_SIGNATURE}")
        _declared.append(library)
        importlib.import_module("torchvision")

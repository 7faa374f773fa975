"""torchvision, importable also where its C++ operators are missing; import this before timm.

PyPI's torchvision wheel beside a CPU-only torch cannot load its C++ operators. It leaves most of
them out then, but still registers fake kernels for `nms` and `qnms`, and its import fails:
`operator torchvision::nms does not exist`. timm imports torchvision for transforms that idhray
does not use. Declared without a kernel, the two operators let both imports pass; only who calls
them, for object detection, gets torch's error. Where the C++ operators load, nothing is declared.
"""

import importlib

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # a Library takes its operators along when it dies


def import_torchvision() -> None:
    """Import torchvision, declaring `nms` and `qnms` if it fails for want of them.

    The import is tried first, as a real C++ operator could not be loaded over a declared one.
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


import_torchvision()

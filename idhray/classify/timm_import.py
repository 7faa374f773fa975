"""Import of timm, at its first use: with torchvision it takes 3 s of CPU in each worker."""

import functools
import importlib
from types import ModuleType

from idhray.torchvision_import import import_torchvision


@functools.cache
def import_timm() -> ModuleType:
    """The module timm, beside a torchvision whose C++ operators may be missing."""
    import_torchvision()
    return importlib.import_module("timm")

"""Functions that run in other processes under the leases of the driver, see `leases.py`."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from idhray.leases import held_numbers, write_under

P = ParamSpec("P")
R = TypeVar("R")


def leased(function: Callable[P, R]) -> Callable[P, R]:
    """The function for a worker, which publishes nothing once the driver has lost its lease.

    Without leases, where the kernel locks the folder, this is the function itself.
    """
    numbers = held_numbers()
    if not numbers:
        return function

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        write_under(numbers)
        return function(*args, **kwargs)

    return run

"""One thread for linear algebra: the number of threads changes the last digits of its results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets numpy and scipy compute with one thread, so that a result is the same on one core and on many."""
    import scipy.linalg  # noqa: F401  only a library that is loaded can be told

    with _libraries(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(1)
def _libraries(modules: int) -> "ThreadpoolController":
    """The libraries that are loaded; looked for again, which takes milliseconds, where modules were imported since."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()

"""One thread for linear algebra: the number of threads changes the last digits of its results."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets numpy and scipy compute with one thread, so that a result is the same on one core and on many."""
    import scipy.linalg  # noqa: F401  only a library that is loaded can be told
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield

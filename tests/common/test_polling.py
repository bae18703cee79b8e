import threading

import pytest

from cifar_pipelines.common.polling import Polling


def test_it_looks_again_and_again_while_the_block_runs():
    looked = threading.Semaphore(0)
    with Polling(looked.release, 0.001):
        assert all(looked.acquire(timeout=10) for _ in range(3))


def test_the_last_look_is_at_the_end():
    looks = []
    with Polling(lambda: looks.append(1), period_s=1000):
        assert looks == []
    assert looks == [1]


def test_it_ends_with_a_block_that_fails():
    looks, before = [], threading.active_count()
    with pytest.raises(RuntimeError), Polling(lambda: looks.append(1), 1000):
        raise RuntimeError
    assert looks == [1] and threading.active_count() == before


def test_a_look_that_fails_ends_nothing():
    looked = threading.Semaphore(0)

    def look():
        looked.release()
        raise ValueError

    with Polling(look, 0.001):
        assert all(looked.acquire(timeout=10) for _ in range(3))

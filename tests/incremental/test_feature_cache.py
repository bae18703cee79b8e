"""Features by the content of their images."""

import hashlib

import numpy as np
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.feature_cache import FeatureCache

X = np.random.default_rng(0).random((6, 3), np.float32)
KEYS = [hashlib.sha256(bytes([number])).digest() for number in range(6)]
RECORD = 32 + 3 * 4 + 4


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "below" / "x.features"
    with FeatureCache(file, 3) as cache:
        cache.add(KEYS[:4], X[:4])
        cache.add([], X[:0])
    return file


def test_what_is_kept_is_there_for_later_runs_bit_for_bit(file):
    with FeatureCache(file, 3) as cache:
        assert np.array_equal(cache.look_up([KEYS[2], KEYS[0], KEYS[2]]), X[[2, 0, 2]])
        assert KEYS[3] in cache and KEYS[4] not in cache and cache.look_up([]).shape == (0, 3)


def test_the_first_features_of_a_content_count(file):
    with FeatureCache(file, 3) as cache:
        cache.add([KEYS[0], KEYS[4], KEYS[4]], X[[5, 4, 5]])
        assert np.array_equal(cache.look_up([KEYS[0], KEYS[4]]), X[[0, 4]])
    assert file.stat().st_size == 5 * RECORD


@pytest.mark.parametrize("left", [1, RECORD - 1])
def test_a_record_that_was_half_written_is_cut_off(file, left):
    with file.open("r+b") as torn:
        torn.truncate(3 * RECORD + left)
    with FeatureCache(file, 3) as cache:
        assert KEYS[2] in cache and KEYS[3] not in cache
        cache.add(KEYS[3:], X[3:])
        assert np.array_equal(cache.look_up(KEYS), X)


@pytest.mark.parametrize("place", [0, 33, RECORD - 1])
def test_a_damaged_record_counts_as_missing(file, place, caplog):
    content = bytearray(file.read_bytes())
    content[RECORD + place] ^= 1
    file.write_bytes(content)
    with FeatureCache(file, 3) as cache:
        assert "1 stored image" in caplog.text
        assert KEYS[1] not in cache and KEYS[0] in cache
        cache.add(KEYS, X)
        assert np.array_equal(cache.look_up(KEYS), X)


def test_one_run_at_a_time_has_it_open(file):
    with FeatureCache(file, 3), pytest.raises(UserError, match=r"Another run has the stored features .* open"):
        FeatureCache(file, 3)
    with FeatureCache(file, 3) as cache:
        assert KEYS[0] in cache

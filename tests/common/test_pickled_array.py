import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cifar_pipelines.common.pickled_array import read_pickled_array

TYPES = st.sampled_from(["u1", "<i8", "<f4", "<u2"])
SHAPES = arrays.array_shapes(max_dims=4, max_side=5)


@given(array=TYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_an_array_is_read_as_pickle_would(array):
    read = read_pickled_array(pickle.dumps(array, 4))
    assert read.dtype == array.dtype and read.shape == array.shape
    assert read.tobytes() == array.tobytes()


class Harm:
    """Touches a file when it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


def holding_code(file):
    """The pickle of an array of which one number is code."""
    return pickle.dumps(np.array([Harm(file)], dtype=object), 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda file: pickle.dumps(Harm(file), 4),
        holding_code,
        lambda file: pickle.dumps(Harm(file), 4)[:-1] + pickle.dumps(np.zeros(3), 4),  # code, then an array
        lambda file: pickle.dumps(np.zeros(3), 4).replace(b"_reconstruct", b"_Reconstruct"),
        lambda file: pickle.dumps([np.zeros(3)], 4),
        lambda file: pickle.dumps(np.zeros(3), 4)[:60],
        lambda file: b"no pickle",
        lambda file: b"",
    ],
)
def test_code_and_everything_else_is_refused_and_not_run(make, tmp_path):
    file = tmp_path / "harm"
    with pytest.raises(ValueError):
        read_pickled_array(make(file))
    assert not file.exists()
    pickle.loads(holding_code(file))
    assert file.exists()  # so the code was there to be run


def test_a_shape_that_its_numbers_do_not_fill_is_refused():
    data = pickle.dumps(np.zeros(200, np.uint8), 4)
    with pytest.raises(ValueError, match=r"\(201,\) numbers of 1 bytes, but holds 200 bytes"):
        read_pickled_array(data.replace(b"K\xc8", b"K\xc9", 1))

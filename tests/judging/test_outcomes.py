import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.outcomes import pack_outcomes, unpack_outcomes


@settings(max_examples=60)
@given(st.dictionaries(st.text("abcé01/.", min_size=1), st.booleans(), min_size=1, max_size=40), st.randoms())
def test_outcomes_come_back_in_the_order_of_sorted_ids(right_by_id, random):
    ids = list(right_by_id)
    random.shuffle(ids)
    packed = pack_outcomes(ids, np.array([right_by_id[name] for name in ids]))
    expected = [right_by_id[name] for name in sorted(ids)]
    assert unpack_outcomes(packed["right"], len(ids)).tolist() == expected
    assert packed["images"] == hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
    assert packed == pack_outcomes(sorted(ids), np.array(expected))


def test_the_first_image_is_the_most_significant_bit():
    packed = pack_outcomes(["b", "a", *"cdefghi"], [False, True, True, *[False] * 6])
    assert packed["right"] == "a000"
    assert pack_outcomes(["only"], [True])["right"] == "80"


@pytest.mark.parametrize(
    ("right", "n", "words"),
    [
        ("zz", 8, "not hexadecimal"),
        ("f", 4, "not hexadecimal"),
        (17, 8, "not hexadecimal"),
        (None, 8, "not hexadecimal"),
        ("ff", 9, "8 bits, which does not fit 9 test images"),
        ("ffff", 8, "16 bits"),
        ("ff", 7, "does not fit 7"),
    ],
)
def test_other_text_is_refused(right, n, words):
    with pytest.raises(UserError, match=words):
        unpack_outcomes(right, n)

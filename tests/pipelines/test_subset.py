import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.ingestion.subset import select_subset


def index_of(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    return pd.DataFrame({"image_id": [f"i{n:05d}" for n in range(len(labels))], "label": labels})


SEEDS = st.integers(0, 2**32 - 1)
EQUAL = st.tuples(st.integers(1, 12), st.integers(1, 30)).map(lambda shape: [shape[1]] * shape[0])
COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=8) | EQUAL


def select(index, size, seed):
    try:
        return select_subset(index, size, seed, "images")
    except UserError as error:
        assume("too few" not in str(error))
        raise


@given(EQUAL, SEEDS, st.data())
def test_balanced_classes_stay_within_one(counts, seed, data):
    size = data.draw(st.integers(len(counts), sum(counts)))
    chosen = select_subset(index_of(counts), size, seed, "images")["label"].value_counts()
    assert chosen.max() - chosen.min() <= 1
    assert (abs(chosen - size / len(counts)) < 1).all()


@given(COUNTS, SEEDS, st.data())
def test_shares_are_rounded_from_one_common_share(counts, seed, data):
    # What defines Webster's method: one share t exists with every class's number a rounding of t * N.
    size = data.draw(st.integers(1, sum(counts)))
    chosen = select(index_of(counts), size, seed)["label"].value_counts().sort_index()
    assert ((chosen - 0.5) / counts).max() <= ((chosen + 0.5) / counts).min() + 1e-12


@given(COUNTS, SEEDS, st.data())
def test_nested(counts, seed, data):
    small = data.draw(st.integers(1, sum(counts)))
    large = data.draw(st.integers(small, sum(counts)))
    index = index_of(counts)
    first = select(index, small, seed)
    assert first.equals(select(index, large, seed).head(small))
    assert first["rank"].tolist() == list(range(small))
    assert first["image_id"].is_unique


@given(COUNTS, SEEDS, SEEDS, st.data())
def test_row_order_decides_nothing(counts, seed, order, data):
    size = data.draw(st.integers(1, sum(counts)))
    index = index_of(counts)
    mixed = index.sample(frac=1, random_state=np.random.default_rng(order))
    repeated = mixed.set_index(pd.Index([0] * len(mixed)))  # nor do the row labels
    assert select(index, size, seed).equals(select(repeated, size, seed))


def test_seed_decides():
    index = index_of([50, 50])
    chosen = [frozenset(select_subset(index, 20, seed, "images")["image_id"]) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_ties_do_not_favour_the_first_class():
    index = index_of([10, 10, 10])
    extra = {select_subset(index, 4, seed, "images")["label"].mode()[0] for seed in range(30)}
    assert extra == {0, 1, 2}


def test_the_input_is_left_alone():
    index = index_of([3, 3])
    before = index.copy()
    chosen = select_subset(index, 6, 0, "images")
    assert index.equals(before)
    assert list(chosen.columns) == ["image_id", "label", "rank"]
    assert chosen["rank"].dtype == "int64"


@pytest.mark.parametrize("size", [0, -5, 2.0, "10", None, True])
def test_size_is_a_positive_whole_number(size):
    with pytest.raises(UserError, match=r"is not a number of training images: .* whole number of at least 1"):
        select_subset(index_of([5, 5]), size, 0, "training images")


def test_numpy_sizes_are_whole_numbers():
    assert len(select_subset(index_of([5, 5]), np.int64(4), 0, "images")) == 4


def test_too_many():
    index = index_of([1500, 1500])
    index["class_name"] = np.where(index["label"] == 0, "cat", "dog")
    with pytest.raises(UserError) as error:
        select_subset(index, 4000, 0, "training images")
    for part in (
        "4,000 training images are more than the 3,000 there are",
        "asks for 2,000 images of 'cat', there are 1,500",
        "asks for 2,000 images of 'dog', there are 1,500",
        "Ask for at most 3,000",
    ):
        assert part in str(error.value)
    with pytest.raises(UserError, match=r"of label 2, there are 1; and so on for all 5 classes"):
        select_subset(index_of([1] * 5), 10, 0, "images")


def test_too_few():
    with pytest.raises(UserError, match=r"9 images are too few: .*of the class label \d.*at least 10\."):
        select_subset(index_of([100] * 10), 9, 0, "images")
    with pytest.raises(UserError, match=r"too few: .*of the class label 1,.*at least (50|51)\."):
        select_subset(index_of([99, 1]), 10, 0, "images")


def test_none_at_all():
    with pytest.raises(UserError, match=r"5 images were asked for, but there are none"):
        select_subset(index_of([]), 5, 0, "images")

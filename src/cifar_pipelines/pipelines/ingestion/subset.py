"""Stratified, nested subsets of an index."""

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.words import counted


def select_subset(index: pd.DataFrame, size: int, seed: int, what: str) -> pd.DataFrame:
    """Selects a stratified subset that contains every smaller subset of the same seed; see `rank_images` and `first_images`."""
    _check_size(index, size, what)
    return first_images(rank_images(index, seed), size, what)


def rank_images(index: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Puts images into the order in which subsets take them.

    The j-th image (from 0) of a class with N images, in an order shuffled by the seed, has the priority
    (j + 1/2) / N, and the `size` smallest priorities are taken. This is the divisor method of Webster and
    Sainte-Laguë, which is house-monotone: a larger subset never gives up an image of a smaller one
    (Balinski and Young, Fair Representation, 1982).

    Args:
        index: Columns `image_id` (str) and `label` (int64), in any order.
        seed: Decides which images, and which class comes first where priorities tie.

    Returns:
        The rows with a column `rank` (int64), 0 for the first, in the order of `rank`: the first k rows are the subset of size k.
    """
    random = np.random.default_rng(seed)
    # Sorted first, so that the order of the rows that came in decides nothing.
    shuffled = index.sort_values("image_id").sample(frac=1, random_state=random, ignore_index=True)
    images = shuffled.groupby("label")
    labels = np.sort(index["label"].unique())
    turn = dict(zip(labels, random.permutation(len(labels)), strict=True))
    order = pd.DataFrame(
        {"priority": (images.cumcount() + 0.5) / images["label"].transform("size"), "turn": shuffled["label"].map(turn)}
    ).sort_values(["priority", "turn"])
    ranked = shuffled.loc[order.index].reset_index(drop=True)
    ranked["rank"] = np.arange(len(ranked), dtype=np.int64)
    return ranked


def first_images(ranked: pd.DataFrame, size: int, what: str) -> pd.DataFrame:
    """Takes the first images by rank.

    Args:
        ranked: What `rank_images` returned, or the first of it; a column `class_name` (str), if there is one, names the classes
            in messages.
        size: How many images to take.
        what: What the images are for, such as "training images"; appears in messages.

    Raises:
        UserError: If `size` is not a positive whole number, is larger than the index, or is so small that a class would be missing.
    """
    _check_size(ranked, size, what)
    first = ranked.groupby("label")["rank"].min()
    if first.max() >= size:
        missing = _name(ranked, first.idxmax())
        raise UserError(
            f"{size:,} {what} are too few: none of them would be of the class {missing}, and "
            f"a subset keeps the proportions of {counted(len(first), 'class', 'classes')}. "
            f"Ask for at least {first.max() + 1:,}."
        )
    return ranked.head(size)


def _check_size(index: pd.DataFrame, size: int, what: str) -> None:
    """Raises UserError unless `size` is a positive whole number of at most the images there are."""
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise UserError(f"{size!r} is not a number of {what}: it has to be a whole number of at least 1.")
    if index.empty:
        raise UserError(f"{size:,} {what} were asked for, but there are none. Check the source.")
    if size > len(index):
        counts = index["label"].value_counts().sort_index()
        wanted = (counts * (size / len(index))).round().astype(int)
        lacking = [
            f"asks for {counted(wanted[label], 'image')} of {_name(index, label)}, there are {counts[label]:,}"
            for label in counts.index[:3]
        ]
        more = f"; and so on for all {len(counts)} classes" if len(counts) > len(lacking) else ""
        raise UserError(
            f"{size:,} {what} are more than the {len(index):,} there are: in proportion, that "
            f"{'; '.join(lacking)}{more}. Ask for at most {len(index):,}."
        )


def _name(index: pd.DataFrame, label: int) -> str:
    """Returns the quoted name of a class, or its label if the index has no names."""
    if "class_name" not in index:
        return f"label {label}"
    return repr(index.loc[index["label"] == label, "class_name"].iloc[0])

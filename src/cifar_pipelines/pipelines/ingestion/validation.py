"""Validation images, cut from the training images of a source: by stratum, or by group."""

import logging
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import content_digest, project_path
from cifar_pipelines.common.words import some
from cifar_pipelines.pipelines.ingestion.subset import rank_images

logger = logging.getLogger(__name__)

EXAMPLE = "validation.share=0.15"


@dataclass(frozen=True)
class ValidationSpec:
    """Which training images of a source are held out, so that nothing has to be chosen on the test images.

    Attributes:
        share: Of the source's training images, from 0 (none) to less than 1; `train_size` counts those that are left.
        by: "stratum", by which every class keeps its share, or "group", by which a group stays together: all images of one
            video, or of one author, are held out or none is.
        group: A regular expression that is searched in every image id; what its parentheses catch names the group, or all
            that it finds where there are none.
        table: Instead of it, a CSV file with the column `image_id` and one that names the group.
        column: That column.
    """

    share: float = 0.0
    by: str = "stratum"
    group: str | None = None
    table: str | None = None
    column: str = "group"

    def __post_init__(self) -> None:
        number = isinstance(self.share, int | float) and not isinstance(self.share, bool)
        if not number or not 0 <= self.share < 1:
            raise UserError(
                f"validation.share is {self.share!r}, but must be from 0 (no validation) to less than 1. Give 0.15."
            )
        if self.by not in ("stratum", "group"):
            raise UserError(f"validation.by is {self.by!r}, but must be 'stratum' or 'group'.")
        given = [name for name in ("group", "table") if getattr(self, name) is not None]
        if self.by == "stratum" and given:
            raise UserError(
                f"validation.{given[0]} is given, but validation.by is 'stratum'. Set validation.by=group to use it."
            )
        if self.by == "group" and len(given) != 1:
            raise UserError(
                "validation.by is 'group', which needs either validation.group, a regular expression that finds the group in "
                "an image id, or validation.table, a CSV file with the columns image_id and group. Give one of them."
            )
        if self.group is not None:
            try:
                re.compile(self.group)
            except re.error as error:
                raise UserError(
                    f"validation.group is {self.group!r}, which is no regular expression: {error}. Correct it."
                ) from error

    def describe(self) -> dict[str, Any] | None:
        """How validation was cut, as values that JSON can hold; None where it was not."""
        if not self.share:
            return None
        return asdict(self) | (
            {} if self.table is None else {"table_digest": content_digest(project_path(self.table, "validation.table"))}
        )


NO_VALIDATION = ValidationSpec()


def cut_validation(train: pd.DataFrame, spec: ValidationSpec, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cuts the validation images from all training images of a source.

    By stratum they are the last ones in the order in which training subsets take images, so that a subset is the same
    with and without them. The cut depends on source, seed and `spec` alone, whatever the size of the subset, and a larger
    share contains a smaller one.

    Args:
        train: All training images: columns `image_id` (str), `label` (int64) and `class_name` (str).
        spec: How many are cut, and how.
        seed: Decides which.

    Returns:
        The images that are left and the validation images, each in the order of their column `rank`.

    Raises:
        UserError: If the share is less than one image, no group is found for an image, a group would take all images of a
            class, or no image would be left, of all or of a class.
    """
    ranked = rank_images(train, seed)
    if not spec.share:
        return ranked, _reranked(ranked.head(0), "validation")
    if spec.by == "group":
        held_out = _held_out_groups(train.assign(group=groups_of(train["image_id"], spec)), spec.share, seed)
        taken = train["image_id"].isin(held_out)
        left, cut = rank_images(train[~taken], seed), rank_images(train[taken], seed)
        logger.info(
            "Validation by group: %d of %d training images, %.1f %%.", len(cut), len(train), 100 * len(cut) / len(train)
        )
    else:
        number = round(spec.share * len(ranked))
        left, cut = ranked.head(len(ranked) - number), ranked.tail(number).iloc[::-1]
    for part, what in ((cut, "which is no image"), (left, "which leaves none to learn from")):
        if part.empty:
            raise UserError(
                f"validation.share is {spec.share} of {len(train):,} training images, {what}. Give another one, such as 0.15."
            )
    if emptied := sorted(set(train["class_name"]) - set(left["class_name"])):
        raise UserError(
            f"validation.share={spec.share} leaves no training image of {some(emptied, 5, 'class', 'classes')}, and every class needs "
            "one. Lower it, or add training images of them."
        )
    return left, _reranked(cut, "validation")


def groups_of(image_ids: "pd.Series[str]", spec: ValidationSpec) -> "pd.Series[str]":
    """Names the group of every image.

    Raises:
        UserError: If there is none for some image, or the table cannot be read.
    """
    found = _by_expression(image_ids, spec.group) if spec.group is not None else _by_table(image_ids, spec)
    if (missing := image_ids[found.isna()]).empty:
        return found
    if spec.group is not None:
        what = f"The regular expression validation.group={spec.group!r} matches"
        remedy = "Correct it, so that it finds the group in every image id."
    else:
        what, remedy = f"The table {spec.table} names a group for", "Add the missing rows."
    which = "none" if len(missing) == len(image_ids) else f"{len(image_ids) - len(missing):,}"
    raise UserError(f"{what} {which} of {len(image_ids):,} images; it lacks one for {missing.iloc[0]!r}. {remedy}")


def require_judged(test_size: int, spec: ValidationSpec) -> None:
    """Raises a `UserError` if neither test images nor validation images are asked for."""
    if not test_size and not spec.share:
        raise UserError(
            "test_size is 0 and validation.share is 0, so that no image with a label is left to judge a model on. Cut some "
            f"from training, such as {EXAMPLE}, or give a test_size."
        )


def _by_expression(image_ids: "pd.Series[str]", expression: str) -> "pd.Series[str]":
    pattern = re.compile(expression)

    def group(image_id: str) -> str | None:
        match = pattern.search(image_id)
        return None if match is None else "/".join(part or "" for part in match.groups() or (match[0],))

    return image_ids.map(group)


def _by_table(image_ids: "pd.Series[str]", spec: ValidationSpec) -> "pd.Series[str]":
    path = project_path(spec.table, "validation.table")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UserError(f"The table validation.table={path} cannot be read: {error}. Give a CSV file.") from error
    if missing := [name for name in ("image_id", spec.column) if name not in table]:
        raise UserError(
            f"The table {path} has no column {missing[0]!r}; it has {', '.join(map(repr, table))}. Add it, or name the "
            "column of groups by validation.column."
        )
    if not (twice := table["image_id"][table["image_id"].duplicated()]).empty:
        raise UserError(f"The table {path} names {twice.iloc[0]!r} more than once. Leave one row per image.")
    return image_ids.map(table.set_index("image_id")[spec.column])


def _held_out_groups(grouped: pd.DataFrame, share: float, seed: int) -> "pd.Series[str]":
    """The ids of the images whose groups are held out.

    A group counts for the class of most of its images. Of a class's groups, in an order shuffled by the seed, but one with more
    than half of the images last, the first ones are taken until their images are nearest to the share: at least one, never all.
    """
    sizes = grouped.groupby(["group", "label"], as_index=False).size()
    groups = sizes.sort_values(["size", "label"], ascending=[False, True]).drop_duplicates("group").sort_values("group")
    groups["size"] = groups["group"].map(grouped["group"].value_counts())
    groups = groups.iloc[np.random.default_rng(seed).permutation(len(groups))]
    held_out: list[str] = []
    for _, of_class in groups.groupby("label"):
        images = of_class["size"].sum()
        of_class = of_class.sort_values("size", key=lambda size: size > images / 2, kind="stable")
        reached = of_class["size"].cumsum().to_numpy()[:-1]
        if len(reached):
            held_out += of_class["group"].head(1 + int(np.abs(reached - share * images).argmin())).tolist()
    taken = grouped["group"].isin(held_out)
    for _, of_class in grouped.groupby("label"):
        left = of_class["group"][~taken[of_class.index]]
        if left.empty or of_class["group"].nunique() == 1:
            raise _swallowed(of_class)
    return grouped["image_id"][taken]


def _swallowed(of_class: pd.DataFrame) -> UserError:
    name, groups = of_class["class_name"].iloc[0], of_class["group"]
    number, largest = groups.nunique(), groups.value_counts().idxmax()
    whose = f"the group {largest!r}" if number == 1 else f"{number} groups that go to validation, such as {largest!r}"
    return UserError(
        f"All {len(of_class):,} training images of the class {name!r} are of {whose}, so that validation by group would hold out "
        "all of them or none. Every class needs a group on either side: add images of another group, or set validation.by=stratum."
    )


def _reranked(images: pd.DataFrame, split: str) -> pd.DataFrame:
    return images.assign(split=split, rank=np.arange(len(images), dtype=np.int64)).reset_index(drop=True)

"""What reading the images has shown: damaged ones, classes without images, pictures in both splits, their sizes."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import xor
from typing import Any

from cifar_pipelines.common.contents import IMAGE, Content
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame
from cifar_pipelines.common.tables import fingerprint_of
from cifar_pipelines.common.words import counted, some
from cifar_pipelines.sources import SPLITS

logger = logging.getLogger(__name__)

# Of which splits images must not be the same: the first should be new to what was learned or chosen on the second.
PAIRS = (
    ("test", "train"),
    ("validation", "train"),
    ("test", "validation"),
    ("predict", "train"),
    ("predict", "validation"),
    ("predict", "test"),
)
WORDS = {"train": "training"}
CONSEQUENCE = {
    "test": "the scores of a model that has memorised them are too high. Remove them from one of the splits",
    "validation": "what is chosen by them favours models that memorise. Remove one of the copies, or set validation.by=group",
    "predict": "their labels are known",
}
LISTED = 100  # bad images in the description of the table
Counts = Mapping[tuple[str, int], int]  # images that can be decoded, by split and label


def tally(checked: DataFrame) -> list[Any]:
    """Counts images by split, label, whether they can be decoded, and what decoding does to them: one pass for all.

    Args:
        checked: One row per image, with the columns of `reading.CHECKED`.

    Returns:
        Rows with these four (`good` for the third) and the groups' `images`, `bytes`, `largest` and `hash`.
    """
    groups = checked.groupBy("split", "label", "treated", _sql("error is null as good"))
    sums = ("count(*) as images", "sum(bytes) as bytes", "max(bytes) as largest", "bit_xor(hash) as hash")
    return groups.agg(*map(_sql, sums)).collect()


def look_at(
    tallied: Sequence[Any], checked: DataFrame, class_names: Sequence[str], on_bad_image: str, content: Content = IMAGE
) -> dict[str, Any]:
    """Says what was found, once, and refuses images of which nothing could be learned or judged.

    Args:
        tallied: What `tally` returned.
        checked: One row per image, with the columns of `reading.CHECKED`.
        class_names: The classes, by label.
        on_bad_image: "fail" or "skip".
        content: What the table is of.

    Returns:
        What `images.json` says of the images.

    Raises:
        UserError: If images cannot be decoded and `on_bad_image` is "fail", or if a class has no training image, or a
            split none at all, without them.
    """
    good = [row for row in tallied if row["good"]]
    bad = _bad_images(checked, on_bad_image, content) if len(good) < len(tallied) else []
    counts: Counter[tuple[str, int]] = Counter()
    for row in good:
        counts[row["split"], row["label"]] += row["images"]
    judged = "test" if any(row["split"] == "test" for row in tallied) else "validation"
    require_images(counts, class_names, bad, judged)
    sizes, treated = {f"{split}_size": _total(counts, split) for split in SPLITS}, _treated_images(good, content)
    copies = _copies_across_splits(checked, sizes, content)
    return {
        "fingerprint": fingerprint_of(reduce(xor, (row["hash"] for row in good)), sum(counts.values()), treated),
        "class_names": list(class_names),
        **sizes,
        "bad_images_skipped": len(bad),
        "bad_images": bad[:LISTED],
        "images_treated": treated,
        "test_images_in_training": copies.get("test in train", 0),
        "copies_across_splits": copies,
        "classes_without_test_images": untested_classes(counts, class_names, judged),
        "image_bytes": sum(row["bytes"] for row in good),
        "largest_image_bytes": max(row["largest"] for row in good),
    }


def require_images(counts: Counts, class_names: Sequence[str], bad: Sequence[str], judged: str = "test") -> None:
    """Refuses a class without training images, and no image to judge models on: all that there were are damaged."""
    empty = [name for label, name in enumerate(class_names) if not counts.get(("train", label))]
    if not empty and _total(counts, judged):
        return
    what = f"training image of the class {empty[0]!r}" if empty else f"{judged} image"
    why = f" is left: {counted(len(bad), 'image')} cannot be decoded ({_named(bad)})" if bad else " is there"
    remedy = "replace the damaged ones" if bad else "add some"
    raise UserError(
        f"No {what}{why}. Every class needs training images, and the {judged} split needs images: {remedy}, or remove the class "
        "from the source."
    )


def untested_classes(counts: Counts, class_names: Sequence[str], judged: str = "test") -> list[str]:
    """Lists the classes without an image to judge models on, and says what that does to averages."""
    untested = [name for label, name in enumerate(class_names) if not counts.get((judged, label))]
    if untested:
        logger.warning(
            "%d of %d classes have no %s image (%s): their precision, recall and F1 count as 0, by which macro averages are "
            "too low. Accuracy and weighted averages do not suffer. %s.",
            len(untested), len(class_names), judged, some(untested, 5, "class", "classes"),
            "Add test images of them to the source" if judged == "test" else "A larger validation.share holds more of them",
        )  # fmt: skip
    return untested


def _bad_images(checked: DataFrame, on_bad_image: str, content: Content) -> list[str]:
    rows = checked.where("error is not null").select("image_id", "error").orderBy("image_id").collect()
    bad = [f"{row['image_id']} ({row['error']})" for row in rows]
    if bad and on_bad_image == "fail":
        raise UserError(
            f"{len(bad):,} of {counted(checked.count(), content.noun)} cannot be decoded: {_named(bad)}. Replace them, or leave them out "
            "with --params on_bad_image=skip."
        )
    if bad:
        logger.warning("%s cannot be decoded, hence left out: %s", counted(len(bad), content.noun), _named(bad))
    return bad


def _treated_images(good: Sequence[Any], content: Content) -> dict[str, int]:
    """Counts the images to which decoding does more than read them, by what it does."""
    treated: Counter[str] = Counter()
    for row in good:
        if row["treated"]:
            treated.update(dict.fromkeys(row["treated"].split(", "), row["images"]))
    if treated:
        found = " and ".join(f"{count} {what}" for what, count in sorted(treated.items()))
        logger.info("%s: %s.", content.treatment, found)
    return dict(treated)


def _copies_across_splits(checked: DataFrame, sizes: Mapping[str, int], content: Content) -> dict[str, int]:
    """Counts the images whose very pixels are also in another split, and says so; executors compare digests.

    Returns:
        Their numbers by pairs of splits such as "test in train", where there are some.
    """
    pictures = (
        checked.where("error is null")
        .groupBy("digest")
        .agg(*(
            _sql(f"{what} filter (where split = '{split}') as {split}_{name}")
            for split in SPLITS
            for name, what in (("first", "min(image_id)"), ("number", "count(*)"))
        ))
    )  # fmt: skip
    pairs = [pair for pair in PAIRS if all(sizes[f"{split}_size"] for split in pair)]
    numbers = [f"sum({one}_number) filter (where {other}_number > 0) as {one}_in_{other}" for one, other in pairs]
    firsts = [
        f"min(struct({one}_first, {other}_first)) filter (where {one}_number * {other}_number > 0) as {one}_{other}"
        for one, other in pairs
    ]
    found = pictures.selectExpr(*numbers, *firsts).first()
    copies = {}
    for split, other in pairs:
        if number := found[f"{split}_in_{other}"]:
            copies[f"{split} in {other}"] = number
            logger.warning(
                "%d of %d %s %ss are %s %ss too, %s, such as %s, which is %s: %s.",
                number, sizes[f"{split}_size"], split, content.noun, WORDS.get(other, other), content.noun, content.same, *found[f"{split}_{other}"], CONSEQUENCE[split],
            )  # fmt: skip
    return copies


def _sql(expression: str) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    return F.expr(expression)


def _total(counts: Counts, split: str) -> int:
    return sum(number for (its_split, _), number in counts.items() if its_split == split)


def _named(bad: Sequence[str]) -> str:
    return some(bad, 5, "image", separator="; ")

"""Which test images a model got right, compact enough for a run record."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cifar_pipelines.common.errors import UserError


def pack_outcomes(image_id: Sequence[str], correct: np.ndarray) -> dict[str, str]:
    """Packs right and wrong into text, so that run records alone allow paired tests.

    Args:
        image_id: (n,) unique ids, in any order.
        correct: (n,) bool, whether the prediction of each is right.

    Returns:
        `images`, 16 hexadecimal digits that stand for the set of images, and `right`, one bit per image in
        the order of the sorted ids, most significant first, in hexadecimal digits, filled up with zeros.
    """
    names = np.array([str(name) for name in image_id], dtype=object)
    order = np.argsort(names)
    digest = hashlib.sha256("\n".join(names[order]).encode()).hexdigest()
    packed = np.packbits(np.asarray(correct, dtype=bool)[order])
    return {"images": digest[:16], "right": packed.tobytes().hex()}


def unpack_outcomes(right: Any, n: int) -> np.ndarray:
    """Unpacks `right` of `pack_outcomes`, the hexadecimal digits of n test images.

    Returns:
        (n,) bool, in the order of the sorted image ids.

    Raises:
        UserError: The text is not what `pack_outcomes` writes for n images.
    """
    try:
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(right), dtype=np.uint8))
    except (TypeError, ValueError) as error:
        raise UserError(f"The outcomes {right!r:.40} are not hexadecimal digits. Run again.") from error
    if len(bits) != 8 * -(-n // 8) or bits[n:].any():
        raise UserError(f"The outcomes hold {len(bits)} bits, which does not fit {n} test images. Run again.")
    return bits[:n].astype(bool)


@dataclass(frozen=True)
class Outcomes:
    """What one model got right, or the reason why that is not known.

    Attributes:
        images: Stands for the set of test images; see `pack_outcomes`.
        right: (n,) bool, in the order of the sorted image ids; empty where there is a problem.
        problem: Why it is not known, without a full stop.
    """

    images: str
    right: np.ndarray
    problem: str = ""


def outcomes_of(row: Mapping[str, Any]) -> Outcomes:
    """Reads the outcomes of one model.

    Args:
        row: `label`, `accuracy`, `test_images`, and `outcome_images` and `outcomes` as `pack_outcomes` wrote them.
    """
    nothing, who = np.empty(0, dtype=bool), f"the run record of {row['label']}"
    if not all(isinstance(row[name], str) for name in ("outcomes", "outcome_images")):  # None, or NaN from CSV
        return Outcomes("", nothing, f"{who} holds no outcomes by image, as older ones do; train it again")
    try:
        right = unpack_outcomes(row["outcomes"], int(row["test_images"]))
    except UserError as error:
        return Outcomes("", nothing, f"{who} holds outcomes that cannot be used: {error}".rstrip("."))
    if not np.isclose(right.mean(), row["accuracy"], rtol=0, atol=0.5 / len(right)):
        return Outcomes("", nothing, f"{who} holds outcomes that contradict its accuracy; train it again")
    return Outcomes(row["outcome_images"], right)

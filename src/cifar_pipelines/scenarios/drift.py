"""Classes that change their names in the middle of the stream."""

import numpy as np

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import whole
from cifar_pipelines.scenarios import Stream, register


@register
def drift(
    image_id: np.ndarray, label: np.ndarray, rng: np.random.Generator, *, at: float = 0.5, swapped: int = 4
) -> Stream:
    """Random order; from one image on, some classes have the labels of one another: a sudden drift of the concept.

    Source: J. Gama et al., "A survey on concept drift adaptation", ACM Computing Surveys 46, 2014, section 2.

    Args:
        image_id: (n,) ids.
        label: (n,) labels.
        rng: What is drawn from: the order, then the classes that change.
        at: Share of the stream that comes before the drift.
        swapped: Classes that change their labels, each to that of the next of them.
    """
    whole("The option 'swapped' of the scenario 'drift'", swapped, 2)
    classes = np.unique(label)
    if swapped > len(classes):
        raise UserError(
            f"The scenario 'drift' swaps {swapped} classes, but the images have {len(classes)}. Swap at most as many."
        )
    if not 0 < at < 1:
        raise UserError(
            f"The option 'at' of the scenario 'drift' is {at!r}, but must lie between 0 and 1. Give 0.5 for the middle."
        )
    order = rng.permutation(len(label))
    label, start = label[order], int(at * len(label))
    chosen = rng.permutation(classes)[:swapped]
    after = {int(old): int(new) for old, new in zip(chosen, np.roll(chosen, -1), strict=True)}
    swapped_labels = [after.get(int(old), int(old)) for old in label[start:]]
    return Stream(image_id[order], np.concatenate([label[:start], np.array(swapped_labels, np.int64)]), drift_at=start)

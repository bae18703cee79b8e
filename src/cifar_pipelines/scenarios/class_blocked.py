"""Classes that come one group after the other, and never again."""

import numpy as np

from cifar_pipelines.common.options import whole
from cifar_pipelines.scenarios import Stream, register


@register
def class_blocked(
    image_id: np.ndarray, label: np.ndarray, rng: np.random.Generator, *, classes_per_phase: int = 2
) -> Stream:
    """Phases of a few classes each, in random order within a phase: what is learned first may be forgotten.

    Source: the class-incremental protocol of S.-A. Rebuffi et al., "iCaRL: incremental classifier and representation
    learning", CVPR 2017, arXiv:1611.07725.

    Args:
        image_id: (n,) ids.
        label: (n,) labels.
        rng: What is drawn from: the order of the classes, then that of the images.
        classes_per_phase: Classes of a phase; the last may have fewer.
    """
    whole("The option 'classes_per_phase' of the scenario 'class_blocked'", classes_per_phase, 1)
    classes = rng.permutation(np.unique(label))
    groups = [classes[start : start + classes_per_phase] for start in range(0, len(classes), classes_per_phase)]
    parts = [rng.permutation(np.flatnonzero(np.isin(label, group))) for group in groups]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    order = np.concatenate(parts)
    names = tuple(tuple(sorted(int(k) for k in group)) for group in groups)
    return Stream(image_id[order], label[order], tuple(int(start) for start in starts), names)

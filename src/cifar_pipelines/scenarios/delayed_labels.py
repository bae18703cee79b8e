"""Images in random order whose labels come later."""

import numpy as np

from cifar_pipelines.common.options import whole
from cifar_pipelines.scenarios import Stream, register


@register
def delayed_labels(image_id: np.ndarray, label: np.ndarray, rng: np.random.Generator, *, delay: int = 1000) -> Stream:
    """Random order; an image is predicted when it comes, and learned when its label does.

    Source: M. Grzenda, H. M. Gomes and A. Bifet, "Delayed labelling evaluation for data streams", Data Mining and Knowledge
    Discovery 34, 2020.

    Args:
        image_id: (n,) ids.
        label: (n,) labels.
        rng: What the order is drawn from.
        delay: Images that come in between.
    """
    whole("The option 'delay' of the scenario 'delayed_labels'", delay, 0)
    order = rng.permutation(len(label))
    return Stream(image_id[order], label[order], label_delay=delay)

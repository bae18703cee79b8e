"""Predictions of a split's images by several variants, which see the same pixels."""

from collections.abc import Mapping

import pandas as pd

from cifar_pipelines.common.progress import Progress
from cifar_pipelines.common.tables import PREDICTIONS
from cifar_pipelines.common.words import counted
from cifar_pipelines.compression.subject import ImageTable, Subject
from cifar_pipelines.compression.variants import Logits


def predict_all(
    variants: Mapping[str, Logits], subject: Subject, table: ImageTable, split: str = "test"
) -> pd.DataFrame:
    """Predicts every image of a split with every variant; each image is read once.

    Returns:
        A row per variant and image, sorted by both: `variant`, and the columns of a predictions table.
    """
    parts = []
    progress = Progress(f"Predicting {split} images by {counted(len(variants), 'variant')}", table.count(split))
    for ids, labels, images in table.batches(split):
        batch = subject.normalise(images).contiguous()
        for name, logits in variants.items():
            probability = logits(batch).double().softmax(1)
            columns = (ids, labels.tolist(), probability.argmax(1).tolist(), list(probability.float().numpy()))
            parts.append(PREDICTIONS.batch(*columns).to_pandas().assign(variant=name))
        progress.advance(len(ids))
    if not parts:
        return pd.DataFrame(columns=["variant", *PREDICTIONS.names])
    table_of_all = pd.concat(parts)[["variant", *PREDICTIONS.names]]
    place = {name: number for number, name in enumerate(variants)}
    return table_of_all.sort_values(
        ["variant", "image_id"], key=lambda column: column.map(place) if column.name == "variant" else column,
        ignore_index=True,
    )  # fmt: skip

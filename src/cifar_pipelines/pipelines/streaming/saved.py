"""A saved learner predicts new images on the executors, from the features that its extractor makes of them."""

from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cifar_pipelines.common.tables import lists_of
from cifar_pipelines.datasets.learned_model import LearnedModelDataset
from cifar_pipelines.incremental.learned import LearnedModel
from cifar_pipelines.incremental.one_thread import one_thread
from cifar_pipelines.pipelines.features.saved import open_extractor, saved_extraction
from cifar_pipelines.pipelines.features.worker import extract_array
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import opening

if TYPE_CHECKING:
    import pyarrow as pa

NEW = "image_id string, prediction int, probability array<float>"


def open_predictor(record: RunRecord) -> Predictor:
    """Opens a learner with its extractor; see `families.Family.predictor`."""
    with opening(record, "a learner") as path:
        model = LearnedModelDataset(filepath=str(path)).load().model
    job_of = saved_extraction(*open_extractor(record), record.features.precision, record.features.micro_batch)
    shared_by = cache(lambda session: session.sparkContext.broadcast(model))

    def predict(images: NewImages) -> pd.DataFrame:
        shared = shared_by(images.session)
        outputs = images.outputs(partial(extract_array, job_of(images.session)))
        # PARALLEL(executors): every task predicts the images whose features it has made.
        return outputs.mapInArrow(lambda batches: predict_batches(batches, shared.value), NEW).toPandas()

    return predict


def predict_batches(batches: Iterable["pa.RecordBatch"], model: LearnedModel) -> Iterator["pa.RecordBatch"]:
    """Replaces the column `output`, the features of an image, by what a learner predicts."""
    import pyarrow as pa

    learner = model.build()
    for batch in batches:
        if batch.num_rows:
            with one_thread():
                probability = learner.predict(np.stack(batch.column("output").to_numpy(zero_copy_only=False)))
            ids, predicted = batch.column("image_id"), pa.array(probability.argmax(axis=1), pa.int32())
            yield pa.RecordBatch.from_arrays(
                [ids, predicted, lists_of(probability.astype(np.float32))], ["image_id", "prediction", "probability"]
            )

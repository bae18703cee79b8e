"""A saved model of Spark ML predicts new images on the executors, from the features that its extractor makes of them."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import DataFrame, Model
from cifar_pipelines.datasets.spark_model import SparkModelDataset
from cifar_pipelines.extractors import Extractor, State, TableExtractor
from cifar_pipelines.pipelines.features.saved import open_extractor, saved_extraction
from cifar_pipelines.pipelines.features.worker import extract_array
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.pipelines.spark_ml.scoring import score, with_probabilities
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import model_path


def open_predictor(record: RunRecord) -> Predictor:
    """Opens a model with its extractor; see `families.Family.predictor`."""
    saved = SparkModelDataset(filepath=str(model_path(record)))
    if not saved.exists():
        raise UserError(
            f"The model in {model_path(record)} is not whole: it was not copied or written to its end. Take another version "
            "of it, or train it again."
        )
    extractor, state = open_extractor(record)
    features = record.features
    return predictor_of(lambda: saved.load().model, extractor, state, features.precision, features.micro_batch)


def predictor_of(
    load: Callable[[], Model], extractor: Extractor, state: State, precision: str, micro_batch: int
) -> Predictor:
    """What predicts with a model and an extractor.

    Args:
        load: Loads the model; called when Spark runs.
        extractor: The extractor.
        state: Its prepared state.
        precision: "bf16" or "fp32".
        micro_batch: Images per forward pass.
    """
    job_of = saved_extraction(extractor, state, precision, micro_batch)

    def vectors_of(images: NewImages) -> DataFrame:
        from pyspark.ml.functions import array_to_vector

        if isinstance(extractor, TableExtractor):
            return extractor.transform(images.files(), state)
        outputs = images.outputs(partial(extract_array, job_of(images.session)))
        # PARALLEL(executors): every task predicts the images whose features it has made.
        return outputs.select("image_id", array_to_vector("output").alias("features"))

    def predict(images: NewImages) -> pd.DataFrame:
        scored, native = score(load(), vectors_of(images), "image_id")
        return with_probabilities(scored.toPandas(), native)

    return predict

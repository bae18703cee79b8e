"""A saved network predicts new images on the executors."""

import uuid
from functools import partial

import pandas as pd

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.images import load_batch
from cifar_pipelines.datasets.trained_network import TrainedNetworkDataset
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import model_path
from cifar_pipelines.training.prediction import PredictionJob, network_of


def open_predictor(record: RunRecord) -> Predictor:
    """Opens a network; see `families.Family.predictor`."""
    path = model_path(record)
    try:
        network = TrainedNetworkDataset(filepath=str(path)).load().network
        network.build()
        precision, flip = network.training["precision"], network.training["recipe"]["flip_at_test"]
    except Exception as error:  # a damaged file fails in many ways
        raise UserError(
            f"{path} cannot be read as a network ({type(error).__name__}): it is damaged, or of an earlier version. Take "
            "another version of the model, or train it again."
        ) from error

    def predict(images: NewImages) -> pd.DataFrame:
        broadcast = images.session.sparkContext.broadcast(network.as_dict())
        job = PredictionJob(uuid.uuid4().hex, partial(network_of, broadcast), network.shape.size, precision, flip)
        # PARALLEL(executors): every task predicts its share of the new images.
        table = images.outputs(lambda files: job.probabilities(load_batch(files, job.size))).toPandas()
        table = table.rename(columns={"output": "probability"})
        return table.assign(prediction=[row.argmax() for row in table["probability"]])

    return predict

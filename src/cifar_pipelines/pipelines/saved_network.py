"""A saved network predicts new images on the executors, for the families that train networks."""

from functools import cache

import pandas as pd

from cifar_pipelines.datasets.trained_network import TrainedNetworkDataset
from cifar_pipelines.pipelines.new_images import NewImages, Predictor
from cifar_pipelines.pipelines.prediction import prediction_job
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import opening
from cifar_pipelines.training.prediction_views import PredictionViews


def open_network(record: RunRecord) -> Predictor:
    """Opens a network, which holds all that it was trained with; see `families.Family.predictor`.

    Args:
        record: Its run record.
    """
    with opening(record, "a network") as path:
        network = TrainedNetworkDataset(filepath=str(path)).load().network
        network.build()
        views = PredictionViews.of(network.training)

    # For every session one job: a stream asks again and again, and a worker builds the network once for all calls.
    job_of = cache(lambda session: prediction_job(network, views))

    def predict(images: NewImages) -> pd.DataFrame:
        job = job_of(images.session)
        # PARALLEL(executors): every task predicts its share of the new images.
        table = images.outputs(job.predict).toPandas()
        table = table.rename(columns={"output": "probability"})
        return table.assign(prediction=[row.argmax() for row in table["probability"]])

    return predict

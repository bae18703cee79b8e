"""The extractor that a saved model was trained with, as it was prepared then."""

import uuid
from collections.abc import Callable
from functools import cache, partial

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.lazy_types import SparkSession
from cifar_pipelines.common.places import place
from cifar_pipelines.datasets.files import ArraysDataset
from cifar_pipelines.extractors import Extractor, State, create_extractor, state_sha256
from cifar_pipelines.pipelines.features.worker import ExtractionJob
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import model_path


def saved_extraction(
    extractor: Extractor, state: State, precision: str, micro_batch: int
) -> Callable[[SparkSession], ExtractionJob]:
    """The extraction of a saved model: for every session one job, so that a worker builds the network once for all calls.

    Args:
        extractor: The extractor.
        state: Its prepared state.
        precision: "bf16" or "fp32".
        micro_batch: Images per forward pass.
    """

    @cache
    def job(session: SparkSession) -> ExtractionJob:
        load_state = partial(getattr, session.sparkContext.broadcast(state), "value")
        return ExtractionJob(uuid.uuid4().hex, extractor, load_state, precision, micro_batch)

    return job


def open_extractor(record: RunRecord) -> tuple[Extractor, State]:
    """Opens the extractor of the features that a model was trained on, with its weights or dictionary.

    Raises:
        UserError: If the record is older than what it says of the state, or the state is gone, damaged or another one.
    """
    features = record.features
    if features is None or features.state_sha256 is None:
        raise UserError(
            f"The run record of {record.model} of {record.run_id} was written by an earlier version, which did not say which "
            "weights the extractor had. Train the model again."
        )
    path = model_path(record)
    name = place("extractor_state").name
    file = next((folder / name for folder in path.parents if (folder / name).is_file()), None)
    if file is None:
        raise UserError(
            f"The weights of the extractor {features.extractor} are gone: no {name} lies above {path}. Put it back, or extract "
            "the features again and train the model again."
        )
    try:
        state = ArraysDataset(filepath=str(file)).load()
    except Exception as error:  # a damaged file fails in many ways
        raise UserError(
            f"{file} cannot be read ({type(error).__name__}): it is damaged. Put a whole copy back."
        ) from error
    if (found := state_sha256(state)) != features.state_sha256:
        raise UserError(
            f"{file} holds other weights (sha256 {found[:16]}) than those that {record.model} of {record.run_id} was trained "
            f"with ({features.state_sha256[:16]}): features were extracted anew since. Take a newer version of the model, or train it again."
        )
    extractor = create_extractor(features.extractor, None, features.input_size, features.options)
    if features.input is not None:
        extractor.input = features.input  # as the weights said it then: their file need not be there any more
    return extractor, state

"""The family of Spark ML classifiers: one model per selected classifier."""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.classifiers import require_known
from cifar_pipelines.common.configuration import selected_names
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.pipelines.features import family as features
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_classifiers(parameters: Parameters) -> list[str]:
    """The classifiers of `spark_ml.selected`: a list, or names joined by "+" on the command line.

    Raises:
        UserError: If a name is unknown, has no block of parameters, or is there twice.
    """
    block = parameters["spark_ml"]
    names = selected_names("spark_ml.selected", block["selected"], "logistic_regression+random_forest")
    for name in names:
        require_known(name)
        if name not in block["classifiers"]:
            raise UserError(
                f"The classifier {name!r} has no block under spark_ml.classifiers. Add one with "
                "`justification` and `params` to conf/base/parameters_spark_ml.yml."
            )
    return names


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The features, the hyperparameters and the number of repeats."""
    block = parameters["spark_ml"]
    return features.depends_on(parameters, model) | {"model": [block["repeats"], block["classifiers"][model]["params"]]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses wrong hyperparameters of a selected classifier."""
    from cifar_pipelines.pipelines.spark_ml.nodes import configure_classifier

    block = parameters["spark_ml"]
    for name in selected_classifiers(parameters):
        configure_classifier(name, block["classifiers"][name], block["repeats"])


def predictor(record: "RunRecord") -> "Predictor":
    """Opens the model with its extractor and that one's state."""
    from cifar_pipelines.pipelines.spark_ml.saved import open_predictor

    return open_predictor(record)


FAMILY = Family(
    "spark_ml",
    "models of Spark ML",
    selected_classifiers,
    depends_on,
    check,
    needs=("ingestion", "features"),
    predictor=predictor,
    reads=None,
)

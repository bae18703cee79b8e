"""The family of CNNs: one model per selected network and engine, named `<network>_<engine>`."""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.configuration import selected_names
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.engines import block_and_engine, create_engine, model_name
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.networks import require_known
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_cnns(parameters: Parameters) -> list[tuple[str, str]]:
    """Network and engine of every CNN: all pairs of `bigdl_cnn.networks` and `bigdl_cnn.engines`.

    Raises:
        UserError: If a name is unknown, a network has no block of parameters, or a name is there twice.
    """
    block = parameters["bigdl_cnn"]
    networks = selected_names("bigdl_cnn.networks", block["networks"], "airbench+lenet")
    engines = selected_names("bigdl_cnn.engines", block["engines"], "bigdl+torch_distributor")
    for network in networks:
        require_known(network)
        if network not in block["models"]:
            raise UserError(
                f"The network {network!r} has no block under bigdl_cnn.models. Add one with `justification`, "
                "`options` and `recipe` to conf/base/parameters_bigdl_cnn.yml."
            )
    for engine in engines:
        create_engine(engine)
    return [(network, engine) for network in networks for engine in engines]


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The network's options and recipe, the size of its images, and how many of them draw the learning curve."""
    block = parameters["bigdl_cnn"]
    network, _ = block_and_engine(model, parameters["bigdl_cnn"]["models"])
    kept = {key: block["models"][network][key] for key in ("options", "recipe")}
    # These count only where there are some: records are older than they are.
    newer = ("shift_at_test", "augmentation")
    kept["recipe"] = {key: value for key, value in kept["recipe"].items() if key not in newer or value}
    return {"model": [block["image_size"], block["validation_images"], kept]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses wrong options, recipes and sizes, and an engine whose libraries are missing."""
    from cifar_pipelines.pipelines.bigdl_cnn.specification import check_sizes, specify_cnn

    for network, engine in selected_cnns(parameters):
        spec = specify_cnn(network, engine, parameters["bigdl_cnn"])
        check_sizes(spec, parameters["subset"]["train_size"], setting.executors)


def only(parameters: Parameters, model: str) -> dict[str, Any]:
    """Selects one network and one engine."""
    network, engine = block_and_engine(model, parameters["bigdl_cnn"]["models"])
    return {"bigdl_cnn.networks": network, "bigdl_cnn.engines": engine}


def predictor(record: "RunRecord") -> "Predictor":
    """Opens the network, which holds all that it was trained with."""
    from cifar_pipelines.pipelines.saved_network import open_network

    return open_network(record)


FAMILY = Family(
    "bigdl_cnn",
    "CNNs",
    lambda parameters: [model_name(*pair) for pair in selected_cnns(parameters)],
    depends_on,
    check,
    only=only,
    predictor=predictor,
    former_names=("cnn",),
)

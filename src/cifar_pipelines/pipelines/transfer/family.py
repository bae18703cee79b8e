"""The family of transfers: one model per selected block and engine, named `<block>_<engine>`."""

from typing import TYPE_CHECKING, Any

from cifar_pipelines.backbones.libraries import find
from cifar_pipelines.common.configuration import selected_names
from cifar_pipelines.common.contents import Content
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.engines import block_and_engine, create_engine, model_name
from cifar_pipelines.families import Family, Parameters
from cifar_pipelines.spark.setting import ParallelismSetting

if TYPE_CHECKING:
    from cifar_pipelines.pipelines.new_images import Predictor
    from cifar_pipelines.records.run_record import RunRecord


def selected_transfers(parameters: Parameters) -> list[tuple[str, str]]:
    """Name and engine of every transfer: all pairs of `transfer.selected` and `transfer.engines`.

    Raises:
        UserError: If a name has no block of parameters, an engine is unknown, or a name is there twice.
    """
    block = parameters["transfer"]
    names = selected_names("transfer.selected", block["selected"], "lite0+mobilenet_v2")
    engines = selected_names("transfer.engines", block["engines"], "torch_distributor+local")
    for name in names:
        if name not in block["models"]:
            remedy = "A new one is a block under transfer.models in conf/base/parameters_transfer.yml."
            raise unknown_name("transfer", name, block["models"], remedy)
    for engine in engines:
        create_engine(engine)
    return [(name, engine) for name in names for engine in engines]


def depends_on(parameters: Parameters, model: str) -> dict[str, Any]:
    """The model's block without its justification, what the files hold that it names, and how many images draw the curve."""
    from cifar_pipelines.backbones import content_sha256

    block = parameters["transfer"]
    name, _ = block_and_engine(model, parameters["transfer"]["models"])
    kept = {key: value for key, value in block["models"][name].items() if key != "justification"}
    content = [sha256] if (sha256 := content_sha256(kept["backbone"], kept.get("weights"))) else []
    return {"model": [block["validation_images"], kept, *content]}


def check(parameters: Parameters, setting: ParallelismSetting) -> None:
    """Refuses what is wrong with networks, weights, phases, devices, sizes and memory, and an engine whose libraries are missing.

    Raises:
        UserError: With what is wrong with each of the selected transfers, so that all missing weights are named at once.
    """
    wrong: dict[str, UserError] = {}
    for name, engine in selected_transfers(parameters):
        try:
            _check_one(name, engine, parameters, setting)
        except UserError as error:
            wrong.setdefault(name, error)  # with another engine a block has the same mistake
    if len(wrong) == 1:
        raise next(iter(wrong.values()))
    if wrong:
        listed = "\n".join(f"  {name}: {error}" for name, error in wrong.items())
        raise UserError(f"{len(wrong)} of the selected transfers cannot be trained:\n{listed}")


def _check_one(name: str, engine: str, parameters: Parameters, setting: ParallelismSetting) -> None:
    from cifar_pipelines.pipelines.transfer.memory import check_memory
    from cifar_pipelines.pipelines.transfer.specification import check_sizes, require_validation, specify_transfer

    spec = specify_transfer(name, engine, parameters["transfer"])
    train_size = parameters["subset"]["train_size"]
    check_sizes(spec, train_size, setting.executors)
    check_memory(spec, train_size, setting.executors)
    require_validation(spec, parameters["validation"]["share"] > 0)


def only(parameters: Parameters, model: str) -> dict[str, Any]:
    """Selects one transfer and one engine."""
    name, engine = block_and_engine(model, parameters["transfer"]["models"])
    return {"transfer.selected": name, "transfer.engines": engine}


def predictor(record: "RunRecord") -> "Predictor":
    """Opens the network, which holds all that it was trained with."""
    from cifar_pipelines.pipelines.saved_network import open_network

    return open_network(record)


def reads(parameters: Parameters, model: str) -> Content:
    """What the backbone of a transfer reads, images or texts."""
    models = parameters["transfer"]["models"]
    name, _ = block_and_engine(model, models)
    return find(str(models[name]["backbone"]).partition(":")[0]).content


FAMILY = Family(
    "transfer",
    "transferred networks",
    lambda parameters: [model_name(*pair) for pair in selected_transfers(parameters)],
    depends_on,
    check,
    only=only,
    predictor=predictor,
    on_request=True,
    reads=reads,
)

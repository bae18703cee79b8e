"""Families of models: all that the rest of the project asks about one.

A family is one dataclass, `FAMILY` in `pipelines/<name>/family.py`, beside the pipeline that makes its models. It is found
by looking there, so that a new one costs its own folder and a block of YAML.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_pipelines.common.contents import IMAGE, Content, require_content
from cifar_pipelines.common.errors import UserError, unknown_name

if TYPE_CHECKING:
    from cifar_pipelines.spark.setting import ParallelismSetting

Parameters = Mapping[str, Any]
PIPELINES = Path(__file__).parent / "pipelines"
INGESTION = "ingestion"  # what every family needs, and no family itself
# Of a model or of features that are there; no families, because they train none that is compared with others.
STUDIES = ("deployment", "leaks")


@dataclass(frozen=True)
class Family:
    """A family of models, made by the pipeline of the same name.

    Attributes:
        name: Its name everywhere: folder of the pipeline, run records, reports.
        words: What people call its models, in the plural, such as "models of Spark ML".
        models: Names of the models that the parameters select. Raises a `UserError` if the selection is illegal.
        depends_on: What in the parameters the result of one model depends on, beside the images: blocks by name.
        check: Raises a `UserError` for what is wrong with the parameters under a setting, before Spark starts.
        needs: Pipelines whose results it reads.
        only: Parameters that select one model alone, which is how an experiment trains it on more images; None for a
            family of which no model is.
        predictor: Opens a saved model by its `RunRecord`, before Spark starts, and returns the `Predictor` of new images on the
            executors: a table with `image_id`, `prediction` and `probability`, the columns of `PREDICTIONS` without the
            label, in any order. Raises a `UserError` if anything of the model is missing. None for a family whose models
            predict no images.
        former_names: What older run records call it.
        reads: What one model learns from, images or texts; None for a family that reads what others made of either.
        predicts_validation: Whether its models leave predictions of validation images beside those they are judged by.
        on_request: Whether it runs only where it is named, and not in a `kedro run` or an experiment of everything.
    """

    name: str
    words: str
    models: Callable[[Parameters], list[str]]
    depends_on: Callable[[Parameters, str], dict[str, Any]]
    check: "Callable[[Parameters, ParallelismSetting], None]"
    needs: tuple[str, ...] = (INGESTION,)
    only: Callable[[Parameters, str], dict[str, Any]] | None = None
    predictor: Callable[[Any], Any] | None = None
    former_names: tuple[str, ...] = ()
    reads: Callable[[Parameters, str], Content] | None = lambda parameters, model: IMAGE
    predicts_validation: bool = True
    on_request: bool = False


def require_readable(family: Family, parameters: Parameters, content: Content) -> None:
    """Raises a `UserError` for the first selected model of a family that does not read what a source holds."""
    for model in family.models(parameters) if family.reads else ():
        remedy = "docs/texts.md says which models read texts, docs/image_folders.md what a folder of images is."
        require_content(content, family.reads(parameters, model), f"{model}, one of the {family.words},", remedy)


@cache
def families() -> dict[str, Family]:
    """All families by name; one that others need comes before them."""
    found = {file.parent.name: _load(file) for file in sorted(PIPELINES.glob("*/family.py"))}
    needed = {name for family in found.values() for name in family.needs}
    return dict(sorted(found.items(), key=lambda item: item[0] not in needed))


def family_names() -> list[str]:
    """The names of all families, which are those of their pipelines."""
    return list(families())


def pipeline_names() -> list[str]:
    """The names of all pipelines, each after those that it needs."""
    first = [INGESTION, *family_names()]
    return first + sorted({file.parent.name for file in PIPELINES.glob("*/__init__.py")} - set(first))


def is_on_request(name: str) -> bool:
    """Whether a pipeline is a study, or that of a family, that runs only where it is named."""
    return name in STUDIES or (name in families() and families()[name].on_request)


def unasked_names() -> list[str]:
    """The names of the pipelines that a run without names consists of, each after those that it needs."""
    return [name for name in pipeline_names() if not is_on_request(name)]


def require_pipelines(names: Iterable[str]) -> None:
    """Raises a `UserError` with the nearest names for the first pipeline that is not there."""
    known = pipeline_names()
    for name in names:
        if name not in known:
            raise unknown_name("pipeline", name, known, "Several are joined by commas.")


def families_of(pipelines: Iterable[str]) -> list[Family]:
    """The families among pipelines, in the order of `families`."""
    asked = set(pipelines)
    return [family for name, family in families().items() if name in asked]


@cache
def present_names() -> dict[str, str]:
    """Today's name of every family by the names that older run records have."""
    return {former: family.name for family in families().values() for former in family.former_names}


def words_for(name: str) -> str:
    """What people call the models of a family, also of one whose pipeline is gone."""
    return families()[name].words if name in families() else f"models of {name}"


def _load(file: Path) -> Family:
    name = file.parent.name
    family = getattr(importlib.import_module(f"{__package__}.pipelines.{name}.family"), "FAMILY", None)
    if not isinstance(family, Family) or family.name != name:
        raise UserError(f"{file} must define FAMILY, a Family with the name of its folder, {name!r}.")
    return family

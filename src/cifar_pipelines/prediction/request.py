"""What is asked of a saved model, checked before anything starts."""

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError, unknown_name
from cifar_pipelines.common.image_files import ImageFiles
from cifar_pipelines.common.images import EXTENSIONS
from cifar_pipelines.common.params import parse_params
from cifar_pipelines.common.paths import local_path
from cifar_pipelines.common.places import place
from cifar_pipelines.common.resolvers import path_suffix, slug
from cifar_pipelines.families import families
from cifar_pipelines.pipelines.new_images import Predictor
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.saved_models import TOLD_APART_BY, Wanted, find_model
from cifar_pipelines.records.shelf import RecordShelf
from cifar_pipelines.spark.environment import checked_configuration, setting_under
from cifar_pipelines.spark.setting import ParallelismSetting

logger = logging.getLogger(__name__)

OF_THE_RUN = ("on_bad_image", "spark_master", "run_name")


@dataclass(frozen=True)
class Request:
    """A saved model, a folder of images, and how to run.

    Attributes:
        model: Name or path of the model.
        folder: The folder, as it is typed.
        version: The id of the run that saved the model; None for the newest.
        environment: The environment with the parallelism setting; None for Kedro's default.
        params_text: What is given with `--params`: what the model learned from, and parameters of the run.
        output: The CSV to write; None for one of its own in the folder of predictions.
    """

    model: str
    folder: str
    version: str | None = None
    environment: str | None = None
    params_text: str = ""
    output: Path | None = None

    @cached_property
    def params(self) -> dict[str, Any]:
        """The parameters by name.

        Raises:
            UserError: If one has nothing to do with a prediction.
        """
        given = parse_params(self.params_text, self.environment)
        known = (*TOLD_APART_BY, *OF_THE_RUN)
        for name in given:
            if name not in known:
                raise unknown_name("parameter of a prediction", name, known, "A saved model keeps all others.")
        return given

    @cached_property
    def loader(self) -> Any:
        """The configuration, which is followed from here on."""
        loader = checked_configuration(self.environment, self.params)
        configuration.follow(loader)
        return loader

    @property
    def setting(self) -> ParallelismSetting:
        """The parallelism setting."""
        return setting_under(self.environment, self.loader)

    @property
    def on_bad_image(self) -> str:
        """What becomes of images that cannot be decoded: "fail" or "skip"."""
        from cifar_pipelines.pipelines.ingestion.nodes import IngestionSpec

        return IngestionSpec(**self.loader["parameters"]["ingestion"]).on_bad_image

    @cached_property
    def path(self) -> Path:
        """The folder."""
        path = local_path(self.folder, "The folder of images")
        if not path.is_dir():
            kind = "is a file, and images are read from a folder" if path.is_file() else "is not a folder that exists"
            raise UserError(
                f"{path} {kind}. Give the folder that holds the images: kedro predict {self.model} <folder>."
            )
        return path

    def images(self) -> list[str]:
        """The images below the folder, and says what lies among them.

        Raises:
            UserError: If there is none.
        """
        files = ImageFiles(self.path)
        found = files.everything()
        notes = files.notes()
        for note in notes if found else ():
            logger.warning("%s", note)
        if not found:
            said = "".join(f"{note} " for note in notes)
            raise UserError(f"{self.path} holds no image. {said}An image's name ends in {', '.join(EXTENSIONS)}.")
        return found

    def saved_model(self) -> tuple[RunRecord, Predictor]:
        """The run record of the model, and what predicts with it.

        Raises:
            UserError: If there is no such model, several fit, or something of it is missing.
        """
        learned_from = {name: value for name, value in self.params.items() if name in TOLD_APART_BY}
        shelf = RecordShelf(PROJECT_PATH / place("run_records"))
        wanted = Wanted(self.model, self.version, learned_from)
        record = find_model(shelf.loaders(), wanted, PROJECT_PATH / place("models_folder"))
        family = families().get(record.family)
        if family is None or family.predictor is None:
            raise UserError(f"{record.model} is of the family {record.family}, whose models predict no new images.")
        if not record.data.class_names:
            raise UserError(
                f"The run record of {record.model} of {record.run_id} was written by an earlier version, which did not name "
                "the classes. Train the model again."
            )
        return record, family.predictor(record)

    def target(self, run_id: str) -> Path:
        """The CSV that is to be written; nothing lies there, nor in the place of its description.

        Raises:
            UserError: If something does, or it is not called as a CSV.
        """
        if self.output is None:
            of_folder = f"{slug(self.path.name)}{path_suffix(self.path)}"
            return PROJECT_PATH / place("new_predictions") / of_folder / slug(Path(self.model).stem) / f"{run_id}.csv"
        target = local_path(str(self.output), "--output")
        if target.suffix.lower() != ".csv":
            raise UserError(f"--output is {target}, but must end in .csv, which is what is written.")
        for path in (target, description_of(target)):
            if path.exists():
                raise UserError(
                    f"{path} is there already, and nothing is overwritten. Give another --output, or move it."
                )
        return target


def description_of(target: Path) -> Path:
    """The file beside a CSV of predictions that says where they come from."""
    return target.with_suffix(".json")

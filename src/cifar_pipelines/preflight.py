"""Checks before a run that the tables it reads are there, and says which command makes them."""

import importlib
from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import flatten
from cifar_pipelines.families import INGESTION, PIPELINES, family_names


def check_inputs_exist(pipeline: Any, catalog: Any, run_params: dict[str, Any]) -> None:
    """Raises if something that the pipeline reads and another pipeline makes is missing or incomplete.

    Raises:
        UserError: With the command that makes what is missing.
    """
    missing = [name for name in sorted(pipeline.inputs()) if name in catalog and not catalog.exists(name)]
    if not missing:
        return
    makers = {output: name for name in _pipeline_names() for output in _outputs(name)}
    missing = [name for name in missing if name in makers]
    if not missing:
        return
    needed = {makers[name] for name in missing}
    command = f"kedro run --pipelines {','.join(name for name in _pipeline_names() if name in needed)}"
    if run_params.get("env"):
        command += f" --env {run_params['env']}"
    if given := run_params.get("runtime_params"):
        command += f" --params {','.join(f'{key}={value}' for key, value in flatten(given).items())}"
    raise UserError(
        f"Missing or incomplete: {', '.join(missing)}, for these parameters. "
        f"They are made once, by this command:\n\n    {command}\n"
    )


def _pipeline_names() -> list[str]:
    """All pipelines, each after those that it needs."""
    first = [INGESTION, *family_names()]
    return first + sorted({file.parent.name for file in PIPELINES.glob("*/__init__.py")} - set(first))


def _outputs(name: str) -> set[str]:
    return importlib.import_module(f"{__package__}.pipelines.{name}").create_pipeline().all_outputs()

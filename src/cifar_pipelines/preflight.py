"""Checks before a run that the tables it reads are there, and says which command makes them."""

from typing import Any

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.options import flatten

# Which pipeline makes what; asking the registry would import every pipeline at every run.
MAKERS = {
    "image_index": "ingestion",
    "image_manifest": "ingestion",
    "images": "ingestion",
    "images_info": "ingestion",
    "extractor_state": "features",
    "features": "features",
    "features_info": "features",
}


def check_inputs_exist(pipeline: Any, catalog: Any, run_params: dict[str, Any]) -> None:
    """Raises if a table that the pipeline reads and does not make is missing or incomplete.

    Raises:
        UserError: With the command that makes what is missing.
    """
    missing = [
        name
        for name in sorted(pipeline.inputs())
        if name in MAKERS and name in catalog and not catalog.exists(name)
    ]
    if not missing:
        return
    makers = list(
        dict.fromkeys(MAKERS[name] for name in sorted(missing, key=lambda name: list(MAKERS).index(name)))
    )
    command = f"kedro run --pipelines {','.join(makers)}"
    if run_params.get("env"):
        command += f" --env {run_params['env']}"
    if given := run_params.get("runtime_params"):
        command += f" --params {','.join(f'{key}={value}' for key, value in flatten(given).items())}"
    raise UserError(
        f"Missing or incomplete: {', '.join(missing)}, for these parameters. "
        f"They are made once, by this command:\n\n    {command}\n"
    )

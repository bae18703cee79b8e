"""Training by BigDL Orca: its Estimator on the run's own session, one worker per executor.

Orca creates network and optimizer on every worker, wraps them for distributed training and runs the loop;
a callback of ours puts the recipe into that loop.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.engines import Engine, register
from cifar_pipelines.training.job import Job

WHEEL = "bigdl-orca-spark3"


@register
class BigDLEngine(Engine):
    """Workers and loop by Orca's Estimator with the backend Spark."""

    def check(self) -> None:
        """Raises a `UserError` if BigDL Orca is not installed."""
        if find_spec("bigdl") is None or find_spec("bigdl.orca") is None:
            raise UserError(
                "The engine bigdl needs BigDL Orca, which is not installed. Run `pip install --no-deps -r "
                "requirements-bigdl.txt`, or train with --params bigdl_cnn.engines=torch_distributor, which needs only "
                "Spark and torch."
            )

    def describe(self) -> str:
        """Name and version."""
        return f"BigDL Orca {version(WHEEL)}"

    def train(self, job: Job, workers: int, threads: int) -> None:
        """Trains; see `engines.Engine`."""
        from cifar_pipelines.engines.bigdl import estimator

        estimator.train(job, workers, threads)


def bigdl_jars() -> list[str]:
    """The jars of the installed BigDL wheels, which driver and executors need on their class path."""
    spec = find_spec("bigdl")
    folders = spec.submodule_search_locations if spec else []
    return sorted(str(jar) for folder in folders for jar in Path(folder).glob("share/*/lib/*.jar"))

"""How long `kedro run --pipelines comparison` takes as a whole process when there are 200 run records."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError

NAME = "report"
BAR = Bar(10, at_least=False)
RECORDS = 200
REPORTING = Path("data/08_reporting")
RECORD_FILES = "*/*.json/*/*.json"  # <setting>/<model>/<run id>/<model>
COMMAND = [sys.executable, "-m", "kedro", "run", "--pipelines", "comparison"]


def has_records() -> bool:
    """Whether this project has run records."""
    return any((PROJECT_PATH / REPORTING / "run_records").glob(RECORD_FILES))


def measure(repeats: int, step: Step) -> Result:
    """Makes the report from as many records in a copy of the project.

    The records are those of this project, each repeated under further run ids, as many repeats of a study would
    leave them.

    Args:
        repeats: How often to make the report.
        step: Called with a sentence at every step.

    Raises:
        UserError: There are no run records, or the report cannot be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part in ("conf", "src", str(REPORTING)):
            if (PROJECT_PATH / part).exists():
                shutil.copytree(PROJECT_PATH / part, project / part)
        shutil.copy(PROJECT_PATH / "pyproject.toml", project)
        originals, copies = multiply_records(project / REPORTING / "run_records")
        seconds = []
        for repeat in range(repeats):
            step(f"Report, round {repeat + 1} of {repeats}.")
            started = time.perf_counter()
            done = subprocess.run(COMMAND, cwd=project, capture_output=True, text=True)
            seconds.append(time.perf_counter() - started)
            if done.returncode:
                raise UserError(f"{' '.join(COMMAND[1:])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    note = f"{originals + copies} run records: {originals} of this project, {copies} repeats of them."
    return Result(NAME, "s", seconds, bar=BAR, notes=[note])


def multiply_records(folder: Path) -> tuple[int, int]:
    """Repeats the run records under further run ids until there are 200.

    Args:
        folder: The run records.

    Returns:
        How many there were, and how many were added.

    Raises:
        UserError: There are none.
    """
    originals = sorted(folder.glob(RECORD_FILES))
    if not originals:
        raise UserError(
            f"The benchmark {NAME} needs run records, and {REPORTING / 'run_records'} holds none. "
            "Run `make run` first, or choose other benchmarks with --only."
        )
    added = 0
    while len(originals) + added < RECORDS:
        original = originals[added % len(originals)]
        run_id = f"2001-01-01T00.00.00.{added // len(originals):03}Z"
        record = json.loads(original.read_text()) | {"run_id": run_id}
        target = original.parents[1] / run_id / original.name
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(record))
        added += 1
    return len(originals), added

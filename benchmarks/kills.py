"""Kills processes of runs at random moments: `python -m benchmarks.kills --rounds 20`, in a copy of the project.

Every round starts ingestion and features anew and ends one of its processes by SIGKILL: the driver, its JVM, an executor or
a Python worker; or it starts two runs at once, of one table or of two settings. After each, no process may be left, and each
table that is believed must be the one that an undisturbed run has made. At the end a last run has to go through.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import click
import psutil

from cifar_pipelines.common.configuration import PROJECT_PATH

SMALL = "train_size=400,test_size=100,features.options.kmeans_patches.centroids=20"
SETTINGS = ("exec_2x1", "exec_1x1")
LEFT_S = 30.0  # processes may take so long to end
TABLES = ("images", "features")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the rounds and prints a line for each; returns 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)  # noqa: S311 (no secret: when what is killed)
    with tempfile.TemporaryDirectory() as folder:
        project = _copied(Path(folder) / "project")
        began = time.monotonic()
        if _start(project, SETTINGS[0]).wait():
            click.echo("The undisturbed run failed.")
            return 1
        seconds = time.monotonic() - began
        expected = tables(project)
        click.echo(f"An undisturbed run takes {seconds:.0f} s; tables: {', '.join(expected)}.")
        wrong = [
            fault
            for number in range(given.rounds)
            for fault in _round(number, project, chance, seconds, expected)
        ]  # fmt: skip
        status = _start(project, SETTINGS[0]).wait()
        if status or tables(project) != expected:
            wrong.append("the last run did not make whole what was left")
    click.echo(f"{given.rounds} rounds, {len(wrong)} faults{''.join(f'; {fault}' for fault in wrong)}")
    return bool(wrong)


def tables(project: Path) -> dict[str, tuple]:
    """The content of every table that the next run would believe, sorted by image, so that order does not count."""
    from pyarrow import parquet

    from cifar_pipelines.datasets import SparkTableDataset

    found = {}
    for name in TABLES:
        for folder in sorted((project / "data").rglob(name)):
            if folder.is_dir() and SparkTableDataset(filepath=str(folder)).exists():
                rows = parquet.read_table(folder).sort_by("image_id").to_pydict()
                found[name] = tuple((column, str(values)) for column, values in sorted(rows.items()))
    return found


def _round(number: int, project: Path, chance: random.Random, seconds: float, expected: dict[str, tuple]) -> list[str]:
    """One round; returns what was wrong."""
    kinds = {"driver": _driver, "driver's JVM": _driver_jvm, "executor": _executors, "Python worker": _workers}
    kind = chance.choice([*kinds, "two runs", "two settings"])
    if chance.random() < 0.5:
        shutil.rmtree(project / "data", ignore_errors=True)
    runs = [_start(project, SETTINGS[0])]
    if kind not in kinds:
        runs.append(_start(project, SETTINGS[kind == "two settings"]))
    moment = chance.uniform(0, seconds)
    seen, killed = _killed(runs[0], kinds[kind], moment) if kind in kinds else ([], True)
    statuses = [run.wait() for run in runs]
    left = _left(seen)
    found = tables(project)
    faults = [f"{name} is believed and is another" for name, content in found.items() if content != expected[name]]
    faults += [f"{len(left)} processes are left"] * bool(left)
    if kind in ("executor", "Python worker") and statuses[0]:
        faults.append("a run did not outlive it")
    if kind not in kinds and (any(statuses) or set(found) != set(expected)):
        faults.append("two runs at once did not both end well")
    words = "; ".join(faults) or ("well" if killed else "had ended before, nothing was killed")
    click.echo(f"{number:3} {kind:14} after {moment:5.1f} s: status {statuses}, {words}")
    return [f"round {number} ({kind}): {fault}" for fault in faults]


def _copied(target: Path) -> Path:
    for part in ("conf", "src"):
        shutil.copytree(PROJECT_PATH / part, target / part)
    shutil.copy(PROJECT_PATH / "pyproject.toml", target)
    return target


def _start(project: Path, setting: str) -> subprocess.Popen:
    code = "import sys\nfrom kedro.framework.cli.cli import main\nsys.argv[0] = 'kedro'\nmain()"
    words = ["run", "--pipelines", "ingestion,features", "--env", setting, "--params", SMALL]
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "DO_NOT_TRACK": "1"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=project, env=environment, stdout=quiet, stderr=quiet
    )


def _killed(
    run: subprocess.Popen, those: Callable[[list[psutil.Process]], list], moment: float
) -> tuple[list[psutil.Process], bool]:
    """Kills one of some processes at a moment, or as soon after it as there is one.

    Returns:
        All that had been there, and whether there was one.
    """
    time.sleep(moment)
    seen: list[psutil.Process] = []
    while run.poll() is None:
        try:
            seen = [psutil.Process(run.pid), *psutil.Process(run.pid).children(recursive=True)]
            victims = those(seen)
            if victims:
                victims[-1].kill()
                return seen, True
        except psutil.Error:
            pass  # it has ended by itself meanwhile
        time.sleep(0.05)
    return seen, False


def _left(seen: list[psutil.Process]) -> list[psutil.Process]:
    end = time.monotonic() + LEFT_S
    while (left := [process for process in seen if _lives(process)]) and time.monotonic() < end:
        time.sleep(0.1)
    for process in left:
        process.kill()
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _driver(family: list[psutil.Process]) -> list[psutil.Process]:
    return family[:1]


def _driver_jvm(family: list[psutil.Process]) -> list[psutil.Process]:
    return _of(family, "SparkSubmit")


def _executors(family: list[psutil.Process]) -> list[psutil.Process]:
    return _of(family, "CoarseGrainedExecutorBackend")


def _workers(family: list[psutil.Process]) -> list[psutil.Process]:
    return _of(family, "pyspark.daemon")


def _of(family: list[psutil.Process], word: str) -> list[psutil.Process]:
    """Those whose command has a word; not those that have ended meanwhile, as Spark's short-lived helpers do all the time."""
    found = []
    for process in family:
        with suppress(psutil.Error):
            if word in " ".join(process.cmdline()):
                found.append(process)
    return found


if __name__ == "__main__":
    raise SystemExit(main())

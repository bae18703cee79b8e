"""A transfer of three phases that is killed at six points, and goes on each time: the same weights, bit for bit."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.result import Bar, Result
from benchmarks.workload import Step
from cifar_pipelines.common.configuration import PROJECT_PATH
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.saved_network import read_network

NAME = "phase_kills"
MODEL, ENVIRONMENT = "killed_transfer", "killed"
SEED = 20_261  # that of no other study, whose checkpoints and models would lie in the same folders
# What the log says when the run is killed: in a phase, at the end of one, and at the beginning of the next.
POINTS = (
    "phase 1 of 3", "epoch 1 of 6", "epoch 2 of 6", "phase 2 of 3", "epoch 4 of 6", "phase 3 of 3",
)  # fmt: skip
BAR = Bar(len(POINTS), at_least=True)
PARAMETERS = """
transfer:
  selected: [killed_transfer]
  engines: [local]
  models:
    killed_transfer:
      justification: It is killed.
      backbone: timm:tf_efficientnet_lite0
      weights: none
      input: {size: 32}
      views: 2
      phases:
        - &phase {train: head, inputs: cache, epochs: 2, batch_size: 32, optimiser: {name: adam, learning_rate: 0.001}}
        - {<<: *phase, train: "last:2", inputs: images, averaging: 0.9, bn: train, augmentation: [flip, shift]}
        - {<<: *phase, train: all, inputs: images, bn: affine, augmentation: [crop, colour]}
"""
GIVEN = f"source=synthetic,train_size=240,test_size=50,seed={SEED}"


def measure(step: Step) -> Result:
    """Trains once undisturbed, and once with a SIGKILL at every one of `POINTS`; once."""
    with _configuration() as conf:
        step("A transfer of three phases, undisturbed.")
        _run(conf, ())
        whole = _saved()
        for place, point in enumerate(POINTS):
            step(f"The same, killed at {point!r}.")
            _run(conf, POINTS[place:])
        step("The same, to its end.")
        resumed_after = _run(conf, ())
        parts = _saved()
    names = whole.keys() | parts.keys()
    same = [name for name in whole.keys() & parts.keys() if whole[name].equal(parts[name])]
    note = f"The last run went on after epoch {resumed_after}; {len(names) - len(same)} of {len(names)} tensors differ from those of the undisturbed run."
    return Result(NAME, "kills", [float(len(POINTS))], bar=BAR, notes=[note], holds=len(same) == len(names))


@contextmanager
def _configuration() -> Iterator[Path]:
    """A copy of the configuration with an environment of its own; what the runs leave is removed with it."""
    _remove()
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder) / "conf"
        shutil.copytree(PROJECT_PATH / "conf", conf)
        (conf / ENVIRONMENT).mkdir()
        (conf / ENVIRONMENT / "parameters.yml").write_text(PARAMETERS)
        try:
            yield conf
        finally:
            _remove()


def _remove() -> None:
    for folder in (PROJECT_PATH / "data").glob(f"0*/synthetic/*seed{SEED}"):
        shutil.rmtree(folder)


def _run(conf: Path, kill_at: tuple[str, ...]) -> int:
    """Runs the transfer, until its end or until its log says one of some things; returns the epoch that it went on after.

    The first of them may be behind it already: an epoch is kept before the log says so.
    """
    command = [sys.executable, "-m", "kedro", "run", "--conf-source", str(conf), "--env", ENVIRONMENT,
               "--pipelines", "ingestion,transfer", "--params", GIVEN]  # fmt: skip
    log, resumed_after = "", 0
    with subprocess.Popen(
        command, cwd=PROJECT_PATH, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"COLUMNS": "300"},
    ) as process:  # fmt: skip
        for line in process.stdout:
            log += line
            if "goes on after epoch" in line:
                resumed_after = int(line.partition("goes on after epoch ")[2].split()[0])
            if any(point in line for point in kill_at):
                process.send_signal(signal.SIGKILL)
                break
        if not kill_at and process.wait():
            raise UserError(f"The run failed: {log.strip()[-800:]}")
    if kill_at and process.returncode != -signal.SIGKILL:
        raise UserError(f"The run ended before its log said {kill_at[0]!r}: {log.strip()[-800:]}")
    return resumed_after


def _saved() -> dict:
    """The weights of the newest network that a run has saved."""
    files = sorted(
        (PROJECT_PATH / "data" / "06_models").glob(f"synthetic/*seed{SEED}/images/*/{MODEL}_local.pt/*/*.pt")
    )
    return read_network(files[-1]).state_dict

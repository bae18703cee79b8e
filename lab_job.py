"""One file for clusters that take one: python submit_script.py lab_job.py <roll number>.

Finds the project, runs the pipelines named below under the roll number, shows what they say, and keeps it in <roll number>.log in the
folder in which it was started. It needs nothing but Python: the project's own environment does the work. docs/laboratory.md
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

PROJECT = ""  # the project's folder; else what CIFAR_PIPELINES_PROJECT says, or where this file lies, or a folder above either
PIPELINES = "ingestion,features,spark_ml,bigdl_cnn,comparison"
SETTING = "exec_2x1"
MASTER = ""  # spark://host:7077 of the cluster; empty for one of the run's own on the host where this file runs
PARAMS = ""  # such as source=cifar10,train_size=10000
ROLL_NUMBER = ""  # where the submit script does not hand it on

# What spark-submit sets for the program that it starts would bind the project to another Spark than its own.
FOREIGN = ("SPARK_", "PYSPARK_", "HADOOP_", "PYTHONPATH", "PYTHONHOME")


def find_project() -> Path:
    """The folder of the project.

    Raises:
        SystemExit: There is none.
    """
    starts = [PROJECT or os.environ.get("CIFAR_PIPELINES_PROJECT") or "", str(Path(__file__).parent), "."]
    for start in (Path(one).resolve() for one in starts if one):
        for folder in (start, *start.parents):
            if (folder / "src" / "cifar_pipelines").is_dir() and (folder / "conf" / "base").is_dir():
                return folder
    raise SystemExit(
        "The project is nowhere above this file or this folder. Write its folder into PROJECT at the top of this file."
    )


def command(project: Path, roll_number: str) -> list[str]:
    """The command that runs the pipelines under a roll number."""
    given = {"run_name": roll_number, "report.roll_number": roll_number, "spark_master": MASTER}
    params = ",".join([*(f"{name}={value}" for name, value in given.items() if value), *filter(None, [PARAMS])])
    own = project / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    return [python, "-m", "kedro", "run", "--pipelines", PIPELINES, "--env", SETTING, "--params", params]


def main(arguments: list[str]) -> int:
    """Runs, and returns the exit status of the run."""
    roll_number = (arguments or [ROLL_NUMBER])[0]
    if not roll_number:
        raise SystemExit("The roll number is missing: give it after the file, or write it into ROLL_NUMBER at its top.")
    if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", roll_number):
        raise SystemExit(
            f"The roll number is {roll_number!r}, but must consist of letters, digits, - and _, begin with no -, and have at most 64 "
            "of them: it names the log."
        )
    project, log = find_project(), Path(f"{roll_number}.log").resolve()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    line = command(project, roll_number)
    with log.open("wb") as kept:
        for text in (f"$ cd {project}\n", f"$ {' '.join(line)}\n"):
            kept.write(text.encode())
        kept.flush()
        run = subprocess.Popen(  # the project's own command
            line,
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
        ):  # the run ends with this file, and is heard to its end
            signal.signal(number, lambda number, _: run.send_signal(number))
        for said in run.stdout:
            kept.write(said)
            kept.flush()
            sys.stdout.buffer.write(said)
            sys.stdout.flush()
    status = run.wait()
    sys.stdout.write(f"Exit status {status}. Log: {log}\n")
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

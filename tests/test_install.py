"""`make install` with programs that only note how they were called; nothing is installed."""

import re
import subprocess
import sys
import tomllib
import zipfile

import pytest

from cifar_pipelines.common.configuration import PROJECT_PATH

# Stands for Python: `-m venv` makes an environment with itself as its Python; its pip is the file `pip` beside it.
PYTHON = """#!/bin/sh
echo "python $*" >> {log}
here=$(dirname "$0")
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/bin/pip" ;;
    *"import pip"*) test -e "$here/pip" ;;
    *'requires("torch")'*) test -e {cuda} ;;
    *"sys.version_info"*) true ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >> {log}
case "$1" in venv) for last; do :; done; mkdir -p "$last/bin" && cp {python} "$last/bin/python" ;; esac
"""
EXTRAS = "--no-deps -r requirements-extras.lock"
LOCK, BIGDL, ITSELF = (
    "--no-deps -r requirements.lock",
    "--no-deps -r requirements-bigdl.txt",
    "--no-deps --no-build-isolation -e .",
)

CUDA = "--no-deps -r requirements-cuda.lock"
REMOVAL = "python -m cifar_pipelines.training.gpu_libraries"


@pytest.fixture(autouse=True)
def as_typed(monkeypatch):
    """Under `make test`, too, a target is made as if typed: no flag, variable or announcement of the outer make."""
    for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def host(tmp_path):
    """A host with a Python 3.11 of its own."""
    for name, text in (("python3.11", PYTHON), ("uv", UV)):
        file = tmp_path / "programs" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            text.format(log=tmp_path / "log", python=tmp_path / "programs" / "python3.11", cuda=tmp_path / "cuda")
        )
        file.chmod(0o755)
    return tmp_path


def install(host, python="python3.11", uv="", target="install", **variables):
    """Runs `make install` or another target; returns what was called to install, and what was printed."""
    programs = {"PYTHON": python and host / "programs" / python, "UV": uv and host / "programs" / uv}
    given = {"VENV": host / "venv", "HAS_BIGDL": "yes", "HAS_GPU": ""} | programs | variables
    command = ["make", target, *(f"{name}={value}" for name, value in given.items() if value is not None)]
    done = subprocess.run(command, cwd=PROJECT_PATH, capture_output=True, text=True)
    log = host / "log"
    calls = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [call for call in calls if "install" in call or "venv " in call or "gpu_libraries" in call], done


def by_pip(*what):
    return [f"python -m pip install --quiet --no-compile {one}" for one in what]


def test_pip_installs_where_there_is_no_uv(host):
    calls, _ = install(host)
    assert calls == [f"python -m venv {host / 'venv'}", *by_pip(LOCK, BIGDL, ITSELF)]
    assert (host / "venv" / ".installed").exists()
    assert install(host)[0] == []


def test_uv_brings_python_where_the_host_has_none(host):
    calls, _ = install(host, python="", uv="uv")
    venv = host / "venv"
    assert calls == [
        f"uv venv --quiet --python 3.11 {venv}",
        *(f"uv pip install --quiet --python {venv}/bin/python {one}" for one in (LOCK, BIGDL, ITSELF)),
    ]


def test_neither_is_said_with_the_remedy(host):
    calls, done = install(host, python="")
    assert done.returncode and calls == [] and "Neither uv nor Python 3.11 was found" in done.stdout


@pytest.mark.parametrize("what", ["pip", "python"])
def test_an_installation_that_was_cut_short_is_made_anew(host, what):
    install(host)
    for name in ("bin/" + what, ".installed"):
        (host / "venv" / name).unlink()
    (host / "venv" / "left").touch()
    calls, _ = install(host)
    assert calls[0] == f"python -m venv {host / 'venv'}" and calls[1:] == by_pip(LOCK, BIGDL, ITSELF)
    assert not (host / "venv" / "left").exists()


def test_an_environment_that_can_install_is_kept(host):
    install(host)
    (host / "venv" / ".installed").unlink()
    assert install(host)[0] == by_pip(LOCK, BIGDL, ITSELF)


@pytest.mark.parametrize("uv", ["", "uv"])
def test_an_environment_whose_python_can_install_is_kept(host, uv):
    python = host / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # What `make` asks of Python is asked of a real one.
    python.write_text(f'#!/bin/sh\ncase "$1" in -c) exec {sys.executable} "$@" ;; esac\n')
    python.chmod(0o755)
    calls, done = install(host, uv=uv, HAS_BIGDL="")
    assert not done.returncode and not [call for call in calls if "venv " in call and "install" not in call]
    assert "class_archive" not in python.read_text() and str(sys.executable) in python.read_text()


def test_another_python_is_refused(host):
    python = host / "programs" / "python3.11"
    python.write_text(python.read_text().replace(") true ;;", ") false ;;"))
    calls, done = install(host)
    assert done.returncode and by_pip(LOCK)[0] not in calls and "python3.11 is not Python 3.11" in done.stdout


def test_without_wheels_of_bigdl_everything_else_is_installed(host):
    calls, done = install(host, HAS_BIGDL="")
    assert calls[1:] == by_pip(LOCK, ITSELF) and "everything but the engine bigdl works here" in done.stdout


@pytest.mark.parametrize(("has_bigdl", "more"), [("yes", ""), ("", " --params bigdl_cnn.engines=torch_distributor")])
def test_the_first_run_takes_an_engine_that_is_there(host, has_bigdl, more):
    command = ["make", "-n", "run", f"VENV={host / 'venv'}", f"HAS_BIGDL={has_bigdl}", "RUN_PARAMS="]
    said = subprocess.run(command, cwd=PROJECT_PATH, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1].endswith(f"kedro experiment --params-of animals{more}")


def test_cuda_comes_only_with_a_build_of_torch_that_needs_it_and_what_gpus_need_only_with_a_gpu(host):
    (host / "cuda").touch()
    assert install(host)[0][1:] == [*by_pip(LOCK, CUDA, BIGDL, ITSELF), REMOVAL]
    (host / "venv").rename(host / "old")
    assert install(host, HAS_GPU="yes")[0][1:] == by_pip(LOCK, f"{CUDA} -r requirements-gpu.lock", BIGDL, ITSELF)


def test_what_was_removed_comes_back_once_where_there_is_a_gpu_later(host):
    (host / "cuda").touch()
    install(host)
    assert install(host)[0] == []
    both = f"--force-reinstall {CUDA} -r requirements-gpu.lock"
    assert install(host, HAS_GPU=None, GPU="1")[0] == by_pip(LOCK, both, BIGDL, ITSELF)
    assert install(host, HAS_GPU="yes")[0] == []


def test_nothing_is_removed_of_a_build_for_cpus(host):
    assert REMOVAL not in install(host)[0] and not (host / "venv" / ".without-gpu").exists()


def test_extras_come_on_demand_and_again_with_a_new_environment(host):
    assert install(host)[0][1:] == by_pip(LOCK, BIGDL, ITSELF)
    assert install(host, target="install-extras")[0] == by_pip(EXTRAS)
    assert install(host, target="install-extras")[0] == []
    (host / "venv").rename(host / "old")
    assert install(host, target="install-extras")[0][1:] == by_pip(LOCK, BIGDL, ITSELF, EXTRAS)


@pytest.mark.parametrize("target", ["test", "test-fast", "lint", "format", "viz"])
def test_targets_that_need_extras_install_them(host, target):
    plan = ["make", "--dry-run", target, f"VENV={host / 'venv'}", "PYTHON=x", "UV="]
    assert EXTRAS in subprocess.run(plan, cwd=PROJECT_PATH, capture_output=True, text=True, check=True).stdout
    plan[2] = "run"
    assert EXTRAS not in subprocess.run(plan, cwd=PROJECT_PATH, capture_output=True, text=True, check=True).stdout


def test_the_lock_that_everyone_installs_names_no_cuda_and_no_host():
    texts = {file.name: file.read_text() for file in PROJECT_PATH.glob("requirements*")}
    assert len(texts) == 6 and not any(
        "://" in text or "--" in line for text in texts.values() for line in text.splitlines()[2:]
    )
    pinned = {line.split("==")[0] for line in texts["requirements.lock"].splitlines() if "==" in line}
    assert {"torch", "torchvision", "animal-mnist"} <= pinned
    assert not [name for name in pinned if name.startswith(("nvidia-", "cuda-", "triton", "tensorflow"))]


def test_a_build_for_cpus_that_a_site_offers_satisfies_the_lock(tmp_path):
    """By pip itself, with wheels that hold nothing; the site's index is a folder here."""
    version = next(
        line for line in (PROJECT_PATH / "requirements.lock").read_text().splitlines() if line.startswith("torch==")
    )
    for local in ("", "+cpu"):
        name = f"torch-{version.partition('==')[2]}{local}"
        with zipfile.ZipFile(tmp_path / f"{name}-py3-none-any.whl", "w") as wheel:
            said = {
                "METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {name[6:]}\n",
                "WHEEL": "Wheel-Version: 1.0\n",
            }
            for file, text in (said | {"RECORD": ""}).items():
                wheel.writestr(f"{name}.dist-info/{file}", text)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-index",
        "--no-deps",
        "--find-links",
        tmp_path,
        "-d",
        tmp_path / "got",
        version,
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert [file.name for file in (tmp_path / "got").iterdir()] == [f"{name}-py3-none-any.whl"]


def test_viz_asks_no_proxy_for_this_host(tmp_path):
    kedro = tmp_path / "bin" / "kedro"
    kedro.parent.mkdir()
    kedro.write_text('#!/bin/sh\necho "$* $no_proxy $NO_PROXY"\n')
    kedro.chmod(0o755)
    for stamp in (".installed", ".installed-extras"):
        (tmp_path / stamp).touch()
    said = subprocess.run(
        ["make", "viz", f"VENV={tmp_path}", "PYTHON=x", "UV="], cwd=PROJECT_PATH, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "lab", "http_proxy": "http://proxy:1"},
    ).stdout  # fmt: skip
    assert said.splitlines()[-1] == "viz lab,localhost,127.0.0.1,::1 lab,localhost,127.0.0.1,::1"


def test_what_the_lock_leaves_out_uv_installs_all_the_same_where_it_is_named():
    """uv obeys a block of pyproject.toml when it installs, too."""
    assert "uv" not in tomllib.loads((PROJECT_PATH / "pyproject.toml").read_text())["tool"]
    left_out = tomllib.loads((PROJECT_PATH / "requirements.uv.toml").read_text())["exclude-dependencies"]
    named = re.findall(r"^[\w-]+(?===)", (PROJECT_PATH / "requirements-cuda.lock").read_text(), re.M)
    assert set(left_out) & set(named)

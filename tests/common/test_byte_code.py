"""Byte code of what a package imports is there afterwards, also where Python is told to write none."""

import subprocess
import sys

from cifar_pipelines.common import byte_code

COMPILES = """
import sys
from pathlib import Path
from cifar_pipelines.common import byte_code

print(byte_code.compile_all(Path(sys.argv[1]), ["started"]))
"""


def test_the_modules_that_a_source_imports_are_found_in_functions_too():
    source = "import a, b.c\nfrom d import e\nfrom . import near\nfrom .near import far\ndef f():\n    from g.h import i as j, k"
    assert byte_code.imported_by(source) == {"a", "b.c", "d", "d.e", "g.h", "g.h.i", "g.h.k"}


def test_what_the_project_imports_are_libraries_and_none_of_its_own_modules():
    found = byte_code.libraries(byte_code.PACKAGE)
    assert {"torch", "timm", "pyspark.sql", "matplotlib.figure"} < found
    assert not any(name.startswith("cifar_pipelines") or "._" in name for name in found)


def test_byte_code_is_kept_of_a_package_and_of_all_that_it_imports(tmp_path, monkeypatch):
    sources = {
        "own/__init__.py": "import first\nimport not_installed",
        "own/module.py": "def later():\n    from group import second, function",
        "first.py": "import behind",
        "behind.py": "",
        "group/__init__.py": "def function(): pass",
        "group/second.py": "",
        "started.py": "",
        "never.py": "",
    }
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = [sys.executable, "-c", COMPILES, str(tmp_path / "own")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    compiled = {file.relative_to(tmp_path).as_posix().replace("__pycache__/", "") for file in tmp_path.rglob("*.pyc")}
    assert {name.replace(f".{sys.implementation.cache_tag}.pyc", ".py") for name in compiled} == set(sources) - {
        "never.py"
    }

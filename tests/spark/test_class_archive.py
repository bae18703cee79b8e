import subprocess

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark import class_archive


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (subprocess.TimeoutExpired("java", 300), "it took longer than 300 s"),
        (
            subprocess.CalledProcessError(
                1, "java", "Unrecognized option: -Xnope\nError: Could not create the Java VM."
            ),
            "Unrecognized option: -Xnope",
        ),
        (PermissionError(13, "Permission denied"), r"\[Errno 13\] Permission denied"),
    ],
)
def test_why_no_archive_was_made_is_one_sentence(monkeypatch, tmp_path, error, reason):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    (tmp_path / "lib" / "server").mkdir(parents=True)
    with pytest.raises(UserError, match=f"made no archive of Spark's classes: {reason}. Runs work without it."):
        class_archive.make_archive(tmp_path)


def test_no_option_of_a_launcher_stands_twice(tmp_path):
    options = class_archive.launcher_options(tmp_path).split()
    assert len(options) == len(set(options)) == 3 and "-XX:-UsePerfData" in options

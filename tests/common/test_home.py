import getpass
import os
import pwd

import pytest

from cifar_pipelines.common.home import use_home


def test_a_home_that_can_be_written_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    use_home(tmp_path / "project")
    assert os.environ["HOME"] == str(tmp_path) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["/nowhere", None])
def test_a_user_without_home_and_name_gets_both(tmp_path, monkeypatch, home):
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr(os, "getuid", lambda: 2_000_000_123)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    use_home(tmp_path)
    assert os.environ.pop("HOME") == str(tmp_path / ".home") and (tmp_path / ".home").is_dir()
    assert getpass.getuser() == os.environ.pop("USER") == "2000000123"

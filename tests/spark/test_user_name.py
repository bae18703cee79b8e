import os
import pwd
import shlex
import subprocess
from pathlib import Path

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark.java import find_java_home
from cifar_pipelines.spark.process import spark_home
from cifar_pipelines.spark.user_name import login_options


@pytest.fixture
def nameless(monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_whom_the_host_knows_by_name_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda number: pwd.struct_passwd(("me", "x", number, number, "", "/", "")))
    assert login_options(find_java_home(), tmp_path) == "" and not list(tmp_path.iterdir())


def test_hadoop_knows_a_user_without_a_name(nameless, tmp_path, caplog):
    folder, name = tmp_path / "a folder", f"user{os.getuid()}"
    folder.mkdir()
    caplog.set_level("INFO", "cifar_pipelines")
    options = login_options(find_java_home(), folder)
    assert login_options(find_java_home(), folder) == options
    assert [record.message for record in caplog.records] == [
        f"The user {os.getuid()} has no name on this host; Spark, which needs one, knows it as {name}."
    ]
    login = ["-cp", f"{spark_home() / 'jars'}/*", "org.apache.hadoop.security.UserGroupInformation"]
    java = [str(find_java_home() / "bin" / "java"), "-XX:TieredStopAtLevel=1", *shlex.split(options), *login]
    output = subprocess.run(java, capture_output=True, text=True, check=True).stdout
    assert f"User: {name}" in output


def test_a_user_who_can_be_given_no_name_is_told_how_to_get_one(nameless, tmp_path):
    for _ in range(2):  # what the first try left is not taken for the class
        with pytest.raises(
            UserError, match=rf"user {os.getuid()} has no name on this host.*no/java.*'me:x:{os.getuid()}:.*passwd"
        ):
            login_options(Path("no/java"), tmp_path)

from pathlib import Path

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.common.paths import PROJECT_PATH, local_path, project_path
from cifar_pipelines.common.resolvers import path_suffix


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/b c", "/a/b c"),
        ("~/a", "/home/somebody/a"),
        ("file:///a/b%20c", "/a/b c"),
        ("file://localhost/a", "/a"),
        ("FILE:/a", "/a"),
        ("/a/[b]/{c}*?#d%20", "/a/[b]/{c}*?#d%20"),
        ("/a/s3://b", "/a/s3:/b"),
    ],
)
def test_a_path_may_be_written_in_several_ways(text, path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert local_path(text, "source_path") == Path(path)
    assert path_suffix(text) == path_suffix(path)


def test_paths_of_parameters_are_those_of_the_project_wherever_a_command_is_typed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert project_path("data/a", "source_path") == PROJECT_PATH / "data" / "a"
    assert project_path(f"file://{tmp_path}/a", "source_path") == tmp_path / "a"
    with pytest.raises(UserError, match=r"^source_path is s3://a/b, but addresses"):
        project_path("s3://a/b", "source_path")


def test_a_path_is_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert local_path("a/b", "source_path") == tmp_path / "a" / "b"
    assert local_path("~nobody-of-that-name/b", "source_path") == tmp_path / "~nobody-of-that-name" / "b"


@pytest.mark.parametrize(
    "text", ["s3://bucket/images", "https://host/images.zip", "hdfs://host:9000/images", "file://host/a"]
)
def test_an_address_is_named_as_unsupported(text):
    kind = text.partition("//")[0]
    with pytest.raises(UserError, match=rf"^source_path is {text}, but addresses of the kind {kind}//.*Copy them"):
        local_path(text, "source_path")
    assert path_suffix(text)  # the configuration can be read all the same

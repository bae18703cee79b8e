import shutil

from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration


def test_the_configuration_is_found_below_a_folder_of_any_name(tmp_path, monkeypatch):
    folder = tmp_path / "a [b] *?, {c} #%20" / "conf"
    shutil.copytree(PROJECT_PATH / "conf", folder)
    (folder / "test" / "parameters").mkdir()
    (folder / "test" / "parameters" / "more.yml").write_text("more: 1")
    (folder / "test" / ".parameters_hidden.yml").write_text("hidden: 1")
    expected = load_configuration("test")["parameters"] | {"more": 1}
    assert load_configuration("test", source=folder)["parameters"] == expected
    monkeypatch.chdir(folder.parent)
    loader = load_configuration("test", source=folder.relative_to(folder.parent))
    assert loader["parameters"] == expected and loader["spark"] and loader["catalog"]

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


def test_nothing_is_read_twice_unless_a_file_has_changed_and_what_was_read_is_the_readers_own(tmp_path, monkeypatch):
    from omegaconf import OmegaConf

    folder = tmp_path / "conf"
    shutil.copytree(PROJECT_PATH / "conf", folder)
    loader = load_configuration("test", {"seed": 5}, folder)
    first = {key: loader[key] for key in ("parameters", "catalog", "spark")}
    with monkeypatch.context() as only:
        only.setattr(OmegaConf, "load", None)
        again = load_configuration("test", {"seed": 5}, folder)
        assert {key: again[key] for key in first} == first
        again["parameters"]["subset"]["seed"] = 7
        assert load_configuration("test", {"seed": 5}, folder)["parameters"] == first["parameters"]
        other = load_configuration("test", {"seed": 6}, folder)["parameters"]  # from the same files
        assert other["subset"] == first["parameters"]["subset"] | {"seed": 6}
    assert load_configuration("exec_8x2", {"seed": 5}, folder)["globals"]["parallelism"]["cores_max"] == 8
    file = folder / "test" / "parameters_more.yml"
    file.write_text("more: 1")
    assert loader["parameters"]["more"] == 1
    file.write_text("more: 2")
    assert loader["parameters"]["more"] == 2
    file.unlink()
    assert "more" not in loader["parameters"]


def test_a_loader_reads_the_globals_of_its_own_environment_whichever_was_made_last():
    small, large = load_configuration("exec_1x1"), load_configuration("exec_8x2")
    models = [loader["catalog"]["{family}.{model}.spark_model"]["filepath"] for loader in (small, large)]
    assert "/exec_1x1/" in models[0] and "/exec_8x2/" in models[1]

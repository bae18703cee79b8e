import pytest
import torch
from kedro.io import DataCatalog, DatasetError, Version

from cifar_pipelines.datasets.folder import FolderDataset
from cifar_pipelines.datasets.trained_network import TrainedNetworkDataset
from cifar_pipelines.networks import NetworkShape, build_network
from cifar_pipelines.training.trained_network import TrainedNetwork

OLD, NEW = "2024-01-01T00.00.00.000Z", "2024-01-02T00.00.00.000Z"


def make_trained(seed=0, name="airbench", **options):
    torch.manual_seed(seed)
    options = options or ({"width": 4, "growth": 2} if name == "airbench" else {})
    shape = NetworkShape(16, 3)
    module = build_network(name, shape, options)
    for buffer in module.buffers():  # as after training: running means that are not those of a fresh network
        buffer.add_(1)
    training = {"recipe": {"epochs": 4, "learning_rate": 0.1}, "precision": "fp32", "seed": seed}
    return TrainedNetwork(name, options, shape, module.state_dict(), ("cat", "dog", "frog"), training)


@pytest.fixture
def make(tmp_path):
    """Returns a function that makes the dataset: the version to load, the version to save."""

    def make_dataset(load=None, save=None):
        return TrainedNetworkDataset(filepath=str(tmp_path / "network.pt"), version=Version(load, save))

    return make_dataset


def logits(trained):
    images = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return trained.build()(images)


@pytest.mark.parametrize("name", ["airbench", "lenet"])
@pytest.mark.parametrize("versioned", [True, False])
def test_a_network_that_is_loaded_back_predicts_the_same(name, versioned, make, tmp_path):
    path = tmp_path / "network.pt"
    dataset = make(save=OLD) if versioned else TrainedNetworkDataset(filepath=str(path))
    trained = make_trained(name=name)
    dataset.save(trained)
    saved = dataset.load()
    assert torch.equal(logits(saved.network), logits(trained))
    for field in ("network", "options", "shape", "class_names", "training"):
        assert getattr(saved.network, field) == getattr(trained, field)
    path = path / OLD / "network.pt" if versioned else path
    assert saved.path == str(path) and saved.size_bytes == path.stat().st_size > 0
    assert [file.name for file in path.parent.iterdir()] == ["network.pt"]


def test_a_network_is_built_in_evaluation_mode_and_channels_last():
    module = make_trained().build()
    assert not module.training
    assert module.groups[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_of_other_options_is_refused():
    trained = make_trained()
    other = TrainedNetwork.from_dict(trained.as_dict() | {"options": {"width": 8}})
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.build()


def test_all_weights_are_counted():
    trained = make_trained(name="lenet", width=1)
    by_hand = (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16 + (16 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * 3
    assert trained.parameter_count == by_hand
    airbench = make_trained()
    whitening = airbench.state_dict["whiten.weight"].numel()
    learned = sum(p.numel() for p in airbench.build().parameters() if p.requires_grad)
    assert airbench.parameter_count >= learned + whitening


def test_the_newest_version_is_loaded_unless_another_is_asked_for(make):
    make(save=OLD).save(make_trained(seed=1))
    make(save=NEW).save(make_trained(seed=2))
    assert make().load().network.training["seed"] == 2 and NEW in make().load().path
    assert make(load=OLD).load().network.training["seed"] == 1


def test_a_version_is_never_overwritten(make):
    make(save=OLD).save(make_trained(seed=1))
    with pytest.raises(DatasetError, match="must not exist"):
        make(save=OLD).save(make_trained(seed=2))
    assert make().load().network.training["seed"] == 1


def test_what_an_interrupted_run_left_is_not_taken_for_a_network(make, tmp_path):
    make(save=OLD).save(make_trained())
    (tmp_path / "network.pt" / NEW).mkdir()
    (tmp_path / "network.pt" / NEW / "network.pt.4711.partial").write_bytes(b"half a network")
    assert OLD in make().load().path


def test_a_saved_network_exists(make, tmp_path):
    plain = TrainedNetworkDataset(filepath=str(tmp_path / "plain" / "network.pt"))
    for dataset in (plain, make(save=OLD)):
        assert not dataset.exists()
        dataset.save(make_trained())
        assert dataset.exists()
    assert make().exists() and not make(load=NEW).exists()


def test_loading_runs_no_code_from_the_file(tmp_path):
    path = tmp_path / "network.pt"
    torch.save({"network": make_trained}, path)  # a function
    with pytest.raises(DatasetError, match=r"[Ww]eights.only"):
        TrainedNetworkDataset(filepath=str(path)).load()


def test_the_datasets_work_in_a_catalog(tmp_path):
    kind = "cifar_pipelines.datasets"
    catalog = DataCatalog.from_config(
        {
            "network": {
                "type": f"{kind}.trained_network.TrainedNetworkDataset",
                "filepath": str(tmp_path / "network.pt"),
                "versioned": True,
            },
            "checkpoints": {"type": f"{kind}.folder.FolderDataset", "path": str(tmp_path / "checkpoints")},
        }
    )
    catalog.save("network", make_trained())
    assert catalog.load("network").network.class_names == ("cat", "dog", "frog")
    assert catalog.load("checkpoints") == tmp_path / "checkpoints"
    assert not (tmp_path / "checkpoints").exists()


def test_a_folder_is_given_as_an_absolute_path_and_never_saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = FolderDataset(path="data/checkpoints")
    assert dataset.load() == tmp_path.resolve() / "data" / "checkpoints"
    assert "data/checkpoints" in str(dataset)
    with pytest.raises(DatasetError, match="managed by the node that reads the path"):
        dataset.save("anything")

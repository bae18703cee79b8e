from types import SimpleNamespace

import pytest
import torch
from tests.factories import deployment

from cifar_pipelines.compression.subject import load_subject


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A small network that tells its classes apart, and its images."""
    folder = tmp_path_factory.mktemp("trained")
    material = deployment.make_material(folder)
    file = deployment.save_network(folder / "lenet.pt", options={"width": 3})
    deployment.train(file, material)
    return SimpleNamespace(file=file, subject=load_subject(file), material=material, folder=folder)

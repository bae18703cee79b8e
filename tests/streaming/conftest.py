import pytest
from tests.factories.landing import open_landing


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def opened(folder):
    with open_landing(folder) as opened:
        yield opened

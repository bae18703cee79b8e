import pytest
from tests.factories import event_logs as logs

from cifar_pipelines.event_log.components import split_application
from cifar_pipelines.event_log.reader import read_event_log


@pytest.fixture
def split(tmp_path):
    def of(events, measured=None):
        log = read_event_log(logs.write_log(tmp_path / "app", events))
        return split_application(log, measured or {})

    of.folder = tmp_path
    return of

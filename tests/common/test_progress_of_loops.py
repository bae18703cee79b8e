from cifar_pipelines.common import progress
from cifar_pipelines.common.progress import Progress


def test_a_long_loop_says_where_it_is_and_how_long_it_will_take(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    caplog.set_level("INFO", "cifar_pipelines")
    loop = Progress("Predicting", 4000)
    for _ in range(4):
        now[0] += 6
        loop.advance(1000)  # of which the last is no news: what follows says that all is done
    assert [record.getMessage() for record in caplog.records] == [
        "Predicting: 2,000 of 4,000 after 12 s, about 12 s left."
    ]


def test_a_short_loop_says_nothing(caplog):
    caplog.set_level("INFO", "cifar_pipelines")
    Progress("Predicting", 2).advance()
    assert not caplog.records

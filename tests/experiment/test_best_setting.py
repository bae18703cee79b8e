from tests.factories.experiment import record

from cifar_pipelines.records.choice import best_setting
from cifar_pipelines.records.run_record import RunRecord


def test_the_best_setting_has_the_shortest_median_time():
    def runs(*times, accuracy=0.8):
        made = [record("m", "bigdl_cnn", "d", [time], accuracy) for time in times]
        return list(map(RunRecord.from_json, made))

    choice = best_setting({"exec_1x1": runs(9.0), "exec_2x1": runs(5.0, 50.0, 6.0), "exec_2x2": runs(7.0, 7.0, 1.0)})
    assert choice.best.setting == "exec_2x1" and choice.best.fit_s == 6
    assert "exec_2x2 needs 7.0 s (17% more)" in choice.reason and "measured once" in choice.reason
    # Accuracy is a guard only against a real loss.
    assert best_setting({"a": runs(1.0, accuracy=0.75), "b": runs(2.0)}).best.setting == "a"
    worse = best_setting({"a": runs(1.0, accuracy=0.6), "b": runs(2.0)})
    assert worse.best.setting == "b" and worse.less_accurate == ("a",)
    assert "passed over as less accurate: a" in worse.reason
    passed_over = best_setting({"a": runs(1.0, accuracy=0.6), "b": runs(2.0), "c": runs(3.0)}).reason
    assert passed_over.startswith(
        "Of the settings that are not less accurate, b has the shortest median fit time, 2.0 s; c"
    )
    assert choice.reason.startswith("exec_2x1 has the shortest median fit time, 6.0 s")
    assert best_setting({"a": []}) is None

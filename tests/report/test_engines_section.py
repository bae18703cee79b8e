import pytest
from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import items_of, rows_of, sections_of, text_of


def _engines(**torch_distributor):
    records = {
        "a": make_cnn_record("bigdl", images_per_s=1000, overhead_s=34),
        "b": make_cnn_record("torch_distributor", **torch_distributor),
    }
    return sections_of(records)["engines"].blocks


def test_engines_stand_side_by_side():
    blocks = _engines(images_per_s=1200, overhead_s=12)
    assert list(rows_of(blocks)[0].values()) == [
        *("airbench", "exec_2x1", "BigDL Orca 2.4.0", "80.0% (76.5% to 83.5%)", "76.0", "1,000", "34.0", "2 x 1"),
        *("3.21", "0.456 (of 250)", "one timing", "[r1]"),
    ]
    distributor, (said,) = "TorchDistributor (Spark 3.5.9)", items_of(blocks)
    assert f"{distributor} trained 20% more images/s than BigDL Orca 2.4.0 (1,200 against 1,000)" in said
    assert f"{distributor} had less overhead than BigDL Orca 2.4.0: 12.0 s against 34.0 s" in said
    assert "Marked" not in said and "precision" not in said


def test_long_times_are_no_powers_of_ten():
    (row, _) = rows_of(_engines(overhead_s=12))
    assert row["fit time [s]"] == "76.0"
    (_, slow) = rows_of(_engines(images_per_s=10, overhead_s=1400))
    assert (slow["fit time [s]"], slow["overhead [s]"]) == ("5402", "1400")


@pytest.mark.parametrize(
    ("images_per_s", "tie"), [(1000, True), (1049, True), (1050, False), (953, True), (951, False)]
)
def test_speeds_closer_than_five_per_cent_are_a_tie(images_per_s, tie):
    (said,) = items_of(_engines(images_per_s=images_per_s, overhead_s=36))
    assert ("A tie in training speed" in said) is tie
    assert ("more images/s than" in said) is not tie
    assert "Overhead is a tie (34.0 s against 36.0 s)" in said


def test_what_makes_a_comparison_of_engines_doubtful_is_said():
    (said,) = items_of(_engines(precision="fp32", restarts=1, host_load={"other_cpu_share": 0.3}))
    assert "different precision (BigDL Orca 2.4.0: bf16; TorchDistributor (Spark 3.5.9): fp32)" in said
    assert "Marked: TorchDistributor (Spark 3.5.9): busy host, restarted." in said


def test_engines_are_compared_only_on_the_same_work():
    (other,) = items_of(_engines(params={"recipe": {"epochs": 99}}))
    assert "different parameters, so they are not compared" in other and "images/s than" not in other
    alone = text_of(sections_of({"a": make_cnn_record()})["engines"].blocks)
    assert "All were trained by BigDL Orca 2.4.0" in alone
    records = {"a": make_cnn_record(), "b": make_cnn_record("torch_distributor")}
    elsewhere = sections_of(records | {"c": make_cnn_record(setting=(2, 2))})["engines"].blocks
    assert "By one engine only. airbench by BigDL Orca 2.4.0 under exec_2x2." in items_of(elsewhere)
    assert "engines" not in sections_of({"a": make_record()})


def test_engines_without_measurements_are_not_ranked():
    blocks = _engines(history=None, timings={"engine_overhead_s": None}, prediction=None, workers=None)
    (said,) = items_of(blocks)
    assert "The speed of training was not recorded for every engine." in said
    assert "Overhead was not recorded for every engine." in said
    assert list(rows_of(blocks)[1].values())[5:10] == ["–"] * 5

import re
import shutil

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.factories.records import make_cnn_record, make_extraction_record, make_record

from cifar_pipelines import cli
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.scaling.planner import expectations, most_informative, plan_settings
from cifar_pipelines.spark.setting import Budget, ParallelismSetting, parse_memory_mb, suited_shapes
from cifar_pipelines.terminal.plan import plan_report

BUDGETS = st.builds(
    Budget,
    cores=st.integers(1, 64),
    memory=st.integers(1, 40_000).map("{}m".format),
    memory_scope=st.sampled_from(["total", "per_executor"]),
)


def legal_by_trying(budget):
    """All shapes that ParallelismSetting takes with the least memory that Spark takes."""
    found = set()
    for cores_max in range(1, budget.cores + 3):
        for executor_cores in range(1, cores_max + 3):
            try:
                ParallelismSetting(cores_max, executor_cores, "450m", budget)
            except UserError:
                continue
            found.add((cores_max, executor_cores))
    return found


@settings(max_examples=60)
@given(BUDGETS, st.none() | st.integers(450, 20_000).map("{}m".format))
def test_no_illegal_setting_is_offered_and_no_legal_one_is_missed(budget, executor_memory):
    with pytest.MonkeyPatch.context() as patch:  # the remedy of a refusal takes time and is not asked here
        patch.setattr("cifar_pipelines.spark.setting.nearest_legal_shape", lambda *_: (1, 1))
        legal, refused = plan_settings(budget, executor_memory)
        shapes = [(setting.cores_max, setting.executor_cores) for setting in legal]
        assert len(set(shapes)) == len(shapes)
        assert set(shapes) == legal_by_trying(budget)
        assert len(legal) + len(refused) == budget.cores * (budget.cores + 1) // 2
        for setting in legal:
            ParallelismSetting(setting.cores_max, setting.executor_cores, setting.executor_memory, budget)
            fits = budget.memory_per_executor_mb(setting.executors)
            asked = parse_memory_mb(executor_memory) if executor_memory else fits
            got = setting.executor_memory_mb
            assert got == asked or got % 256 == 0 or fits < 512
            assert min(asked, fits) - 256 < got <= min(asked, fits)
        assert all(refusal.rule for refusal in refused[:20])


def test_a_plan_of_eight_cores():
    legal, refused = plan_settings(Budget(8, "10g"), "2g")
    memory = {setting.name: setting.executor_memory for setting in legal}
    assert len(legal) == 20 and len(refused) == 16
    assert memory["exec_8x1"] == "1280m" and memory["exec_8x2"] == memory["exec_1x1"] == "2g"
    assert memory["exec_6x1"] == "1536m"  # 10 GB for six are 1706 MB, rounded down
    rules = {refusal.name: refusal.rule for refusal in refused}
    assert rules["exec_8x3"] == (
        "spark.cores.max = 8 is not divisible by spark.executor.cores = 3, so 2 cores would stay unused"
    )


def test_a_refusal_for_lack_of_memory_says_its_rule():
    _, refused = plan_settings(Budget(4, "1g"))
    rules = {refusal.name: refusal.rule for refusal in refused}
    assert rules["exec_4x1"] == ("spark.executor.memory = 450m exceeds the budget of 1g in all, and 4 x 450m is more")


@pytest.mark.parametrize("memory", ["449m", "lots"])
def test_memory_that_no_executor_can_have_is_refused(memory):
    with pytest.raises(UserError, match=r"Try 1g|no memory size"):
        plan_settings(Budget(), memory)


@pytest.mark.parametrize(("host", "cores"), [(1, 8), (2, 8), (4, 8), (8, 8), (6, 64), (16, 8)])
def test_the_informative_settings_are_those_that_suit_the_host(host, cores):
    legal, _ = plan_settings(Budget(cores, "100g"))
    chosen = [(setting.cores_max, setting.executor_cores) for setting in most_informative(legal, host)]
    assert chosen == suited_shapes(host, [(setting.cores_max, setting.executor_cores) for setting in legal])


def test_where_memory_forbids_many_executors_the_criterion_still_holds():
    legal, _ = plan_settings(Budget(8, "1g"))  # at most two executors
    assert [setting.name for setting in most_informative(legal, 8)] == ["exec_1x1", "exec_8x4", "exec_8x8"]
    assert most_informative([], 8) == []


def records(settings=((1, 1), (2, 1), (2, 2), (4, 2)), host_cores=4, **changes):
    """Logistic regression by Amdahl's law with a share of 0.2, and the CNN once on more images."""
    found = {
        f"exec_{m}x{c}/lr": make_record(setting=(m, c), fit_s=[100 * (0.2 + 0.8 / m)], host_cores=host_cores, **changes)
        for m, c in settings
    }
    found["features"] = make_extraction_record()
    larger = {"train_size": 20000, "fingerprint": "f" * 16}
    later = "2026-11-21T10:58:11+00:00"
    found["larger"] = make_cnn_record(created=later, host_cores=host_cores, data=larger)
    return found


def test_recorded_models_have_an_expected_time():
    found = {expectation.label: expectation for expectation in expectations(records())}
    assert set(found) == {"logistic_regression", "airbench_bigdl"}
    regression = found["logistic_regression"]
    assert regression.train_size == 10000 and regression.most_cores == 4
    eight = regression.of(ParallelismSetting(8, 2, "1g"))
    assert eight["Amdahl"].value == pytest.approx(30) and eight["Amdahl"].low == pytest.approx(30)
    assert set(regression.reasons) == {"Ernest"}
    assert found["airbench_bigdl"].fits == ()


def test_another_cluster_expects_nothing():
    elsewhere = {"effective": {"embedded": False, "master": "spark://lab:7077"}}
    assert list(expectations({"a": make_record(parallelism=elsewhere)})) == []
    assert list(expectations({})) == list(expectations({"features": make_extraction_record()})) == []


def printed(budget, executor_memory, host_cores, found):
    console = Console(width=220, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(plan_report(budget, executor_memory, host_cores, found))
    return console.export_text()


def test_the_plan_is_shown():
    text = printed(Budget(8, "10g"), "2g", 4, list(expectations(records())))
    assert "20 legal settings within 8 cores and 10g in all" in text
    assert "Measure first: exec_1x1, exec_4x1, exec_4x4. Criterion: the smallest setting" in text
    assert "Expected fit time of airbench_bigdl, 20,000 training images: measure first." in text
    assert "Amdahl is not identifiable. It needs two different numbers of cores" in text
    line = next(line for line in text.splitlines() if "exec_8x2" in line and "30.0 (" in line)
    assert "30.0 (30.0 to 30.0)" in line and "oversubscribes this host" in line
    assert "16 shapes within these cores cannot be used." in text
    assert "is not divisible by spark.executor.cores: exec_3x2, exec_4x3, exec_5x2" in text and "exec_8x3" not in text
    assert "and 4 more of them." in text and not re.search(r"\bnan\b", text)
    assert "is recorded" in printed(Budget(2), None, 1, [])


def test_a_long_list_of_refusals_is_cut():
    assert "more of them." in printed(Budget(20, "100g"), None, 2, []).splitlines()[-1]


def test_what_has_too_little_memory_is_told_with_its_rule():
    text = " ".join(printed(Budget(4, "1g"), None, 2, []).split())
    assert (
        "exec_3x1: spark.executor.memory = 450m exceeds the budget of 1g in all" in text
        and "Likewise exec_4x1." in text
    )


def test_the_command_reads_budget_and_records(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "PROJECT_PATH", tmp_path)
    result = CliRunner().invoke(cli.cli, ["plan", "--cores", "2", "--memory", "3g", "--memory-scope", "per_executor"])
    assert result.exit_code == 0, result.output
    assert "3 legal settings within 2 cores and 3g per executor" in result.output
    assert "exec_2x2" in result.output and "measure first" in result.output
    refused = CliRunner().invoke(cli.cli, ["plan", "--cores", "0"])
    assert refused.exit_code == 1 and "must be a whole number of at least 1" in refused.output


def test_more_cores_than_can_be_listed_are_refused_at_once():
    refused = CliRunner().invoke(cli.cli, ["plan", "--cores", "1000000"])
    assert refused.exit_code == 1 and "budget.cores is 1000000, but must be at most" in refused.output


def test_a_planned_setting_becomes_an_environment(tmp_path, monkeypatch):
    conf = shutil.copytree(PROJECT_PATH / "conf", tmp_path / "conf")
    command = ["plan", "--conf-source", str(conf), "--write"]
    written = CliRunner().invoke(cli.cli, [*command, "exec_6x3"])
    assert written.exit_code == 0, written.output
    assert written.output.startswith(f"Wrote {conf}/exec_6x3/globals.yml.")
    block = yaml.safe_load((conf / "exec_6x3" / "globals.yml").read_text())["parallelism"]
    loaded = ParallelismSetting.from_config(block, load_configuration()["globals"]["budget"])
    assert (loaded.name, loaded.executors) == ("exec_6x3", 2)
    assert CliRunner().invoke(cli.cli, [*command, "exec_2x1_3g"]).exit_code == 0
    block = yaml.safe_load((conf / "exec_2x1_3g" / "globals.yml").read_text())["parallelism"]
    assert block == {"cores_max": 2, "executor_cores": 1, "executor_memory": "3g", "named_after_memory": True}
    for name, what in (
        ("exec_6x3", "is there already"),
        ("exec_8x3", r"is no legal setting: .*\. Legal ones are exec_1x1, "),
        ("exec_600x3", "the budget has"),
        ("mine", "a setting is called exec_<cores>x<cores per executor>"),
    ):
        refused = CliRunner().invoke(cli.cli, [*command, name])
        assert refused.exit_code == 1 and re.search(what, refused.output.replace("\n", " ")), refused.output
    other = CliRunner().invoke(cli.cli, [*command, "exec_7x7", "--cores", "20"])
    assert other.exit_code == 1 and "--write takes the budget" in other.output and not (conf / "exec_7x7").exists()

import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.cli import cli
from cifar_pipelines.common.configuration import PROJECT_PATH, load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.spark import setting
from cifar_pipelines.spark.setting import (
    MINIMUM_EXECUTOR_MEMORY_MB,
    Budget,
    IllegalSettingError,
    ParallelismSetting,
    broken_rule,
    format_memory,
    host_cores,
    legal_shapes,
    nearest_legal_shape,
    parse_memory_mb,
    setting_of,
    suited_shapes,
)

ENVIRONMENTS = sorted(folder.name for folder in (PROJECT_PATH / "conf").glob("exec_*"))
ROOMY = Budget(64, "1t", "per_executor")
SMALL = st.integers(1, 24)
BUDGETS = st.builds(
    Budget,
    cores=SMALL,
    memory=st.integers(1, 20_000).map("{}m".format),
    memory_scope=st.sampled_from(["total", "per_executor"]),
)


def is_legal(cores_max, executor_cores, memory_mb, budget):
    if cores_max > budget.cores or cores_max % executor_cores or memory_mb < 450:
        return False
    executors = cores_max // executor_cores if budget.memory_scope == "total" else 1
    return memory_mb * executors <= parse_memory_mb(budget.memory)


@pytest.mark.parametrize(
    ("text", "mb"), [("1m", 1), ("512m", 512), ("2g", 2048), ("2GB", 2048), (" 3 g ", 3072), ("1t", 2**20)]
)
def test_memory_sizes_are_read(text, mb):
    assert parse_memory_mb(text) == mb


@pytest.mark.parametrize("text", ["", "2", 2, "g", "0g", "-1g", "1.5g", "2k", "2gg", "two g", None])
def test_what_is_no_memory_size_is_refused(text):
    with pytest.raises(UserError, match=r"no memory size\. Write a whole number and a unit, such as 512m or 2g"):
        parse_memory_mb(text)


@given(st.integers(1, 10**7))
def test_memory_sizes_survive_writing_and_reading(mb):
    assert parse_memory_mb(format_memory(mb)) == mb


def test_memory_sizes_are_written_in_gigabytes_where_they_are_whole():
    assert [format_memory(mb) for mb in (1024, 1280, 512, 10240)] == ["1g", "1280m", "512m", "10g"]


def test_a_setting_is_two_numbers_and_a_size():
    setting = ParallelismSetting(8, 2, "2g")
    assert (setting.name, setting.executors, setting.executor_memory_mb) == ("exec_8x2", 4, 2048)
    assert setting.spark_conf() == {"spark.cores.max": "8", "spark.executor.cores": "2", "spark.executor.memory": "2g"}
    assert setting.asked() == {"cores_max": 8, "executor_cores": 2, "executor_memory_mb": 2048, "executors": 4}


@given(SMALL, SMALL, st.integers(1, 12_000), BUDGETS)
def test_a_setting_is_accepted_exactly_if_it_is_legal(cores_max, executor_cores, memory_mb, budget):
    try:
        ParallelismSetting(cores_max, executor_cores, f"{memory_mb}m", budget)
    except UserError:
        accepted = False
    else:
        accepted = True
    assert accepted == is_legal(cores_max, executor_cores, memory_mb, budget)


@given(st.integers(1, 100), st.integers(1, 100), SMALL)
def test_the_neighbour_named_in_a_refusal_is_legal(cores_max, executor_cores, cores):
    budget = Budget(cores, "1g", "per_executor")
    try:
        ParallelismSetting(cores_max, executor_cores, "1g", budget)
    except UserError as error:
        named = re.search(r"nearest legal setting is exec_(\d+)x(\d+) ", str(error))
        ParallelismSetting(int(named[1]), int(named[2]), "1g", budget)


@given(st.integers(1, 40), st.integers(1, 40), SMALL)
def test_no_legal_shape_is_nearer_than_the_nearest(cores_max, executor_cores, cores):
    def distance(shape):
        return abs(shape[0] - cores_max) + abs(shape[1] - executor_cores)

    nearest = nearest_legal_shape(cores_max, executor_cores, cores)
    assert nearest in legal_shapes(cores)
    assert distance(nearest) == min(map(distance, legal_shapes(cores)))


def test_of_two_nearest_shapes_the_one_with_more_cores_is_named():
    assert nearest_legal_shape(3, 2, 8) == (4, 2)


@pytest.mark.parametrize("cores", range(1, 65))
def test_legal_shapes_are_all_multiples(cores):
    multiples = [(k * c, c) for c in range(1, cores + 1) for k in range(1, cores // c + 1)]
    assert legal_shapes(cores) == sorted(multiples)


def test_cores_beyond_the_budget_are_refused_with_the_neighbour():
    with pytest.raises(UserError, match=r"exec_9x3: spark\.cores\.max = 9 exceeds the budget of 8 cores.* exec_8x2 "):
        ParallelismSetting(9, 3, "1g")


def test_a_refusal_holds_its_rule_and_what_to_do():
    with pytest.raises(IllegalSettingError) as caught:
        ParallelismSetting(8, 3, "1g")
    assert caught.value.rule == broken_rule(8, 3, "1g", Budget()) and caught.value.rule in str(caught.value)
    assert caught.value.remedy.startswith("The nearest legal setting is exec_8x2")
    with pytest.raises(IllegalSettingError) as caught:
        ParallelismSetting(4, 1, "1g", Budget(8, "1g"))
    assert "4 executors cannot fit it at all" in caught.value.remedy
    assert broken_rule(8, 2, "1g", Budget()) is None


def test_a_host_is_oversubscribed_by_more_cores_than_it_has():
    setting = ParallelismSetting(8, 2, "1g")
    assert setting.oversubscribes(7) and not setting.oversubscribes(8)


def test_cores_that_are_not_divisible_are_refused_with_what_would_stay_unused():
    message = (
        r"exec_8x3: spark\.cores\.max = 8 is not divisible by spark\.executor\.cores = 3, so 2 cores would stay "
        r"unused\. The nearest legal setting is exec_8x2 \(spark\.cores\.max = 8, spark\.executor\.cores = 2\)"
    )
    with pytest.raises(UserError, match=message):
        ParallelismSetting(8, 3, "1g")


@pytest.mark.parametrize("value", [0, -2, 1.0, "2", True, None])
def test_cores_are_whole_numbers(value):
    with pytest.raises(UserError, match=r"cores_max \(spark\.cores\.max\) is .* whole number of at least 1"):
        ParallelismSetting(value, 1, "1g")
    with pytest.raises(UserError, match=r"executor_cores \(spark\.executor\.cores\) is .* whole number of at least 1"):
        ParallelismSetting(2, value, "1g")


def test_memory_below_the_minimum_of_spark_is_refused():
    with pytest.raises(UserError, match=r"spark\.executor\.memory = 449m is below Spark's minimum of 450m"):
        ParallelismSetting(1, 1, f"{MINIMUM_EXECUTOR_MEMORY_MB - 1}m")
    ParallelismSetting(1, 1, f"{MINIMUM_EXECUTOR_MEMORY_MB}m")


def test_memory_beyond_the_budget_is_refused_with_what_fits():
    with pytest.raises(UserError, match=r"budget of 10g in all, and 4 x 3g is more\. At most 2560m fits 4"):
        ParallelismSetting(8, 2, "3g")
    ParallelismSetting(8, 2, "2560m")
    with pytest.raises(UserError, match=r"exceeds the budget of 2g per executor\. At most 2g fits 4"):
        ParallelismSetting(8, 2, "3g", Budget(8, "2g", "per_executor"))


def test_the_scope_of_the_budget_decides_what_an_executor_may_have():
    assert Budget(8, "10g", "total").memory_per_executor_mb(8) == 1280
    assert Budget(8, "10g", "per_executor").memory_per_executor_mb(8) == 10240


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cores": 0}, r"budget\.cores is 0, but must be a whole number of at least 1"),
        ({"memory": "much"}, r"'much' is no memory size"),
        ({"memory_scope": "each"}, r"budget\.memory_scope is 'each', but must be 'total' .* or 'per_executor'"),
    ],
)
def test_a_wrong_budget_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        Budget(**values)


@pytest.mark.parametrize(
    ("parallelism", "message"),
    [
        (None, r"^The parallelism setting in globals\.yml lacks cores_max, executor_cores, executor_memory\."),
        (
            "exec_2x1",
            r"'exec_2x1', but must be names and values: cores_max, executor_cores, executor_memory, named_after_memory\.",
        ),
        ({"cores_max": 2}, r"lacks executor_cores, executor_memory\."),
        ({"cores_max": 2, "executor_cores": None, "executor_memory": "1g"}, r"'executor_cores' of .* is None"),
        ({"cores_max": 2, "executor_cores": 1, "executor_memory": "1g", "cores": 2}, r"'cores'.*'cores_max'"),
        ({"cores_max": 2, "executor_cores": 1, "executor_memory": "1g", "budget": {}}, r"option 'budget'\."),
    ],
)
def test_a_wrong_block_of_the_configuration_is_refused(parallelism, message):
    with pytest.raises(UserError, match=message):
        ParallelismSetting.from_config(parallelism)


def test_an_unknown_key_of_the_budget_is_refused_with_the_known_ones():
    block = {"cores_max": 2, "executor_cores": 1, "executor_memory": "1g"}
    assert ParallelismSetting.from_config(block) == ParallelismSetting(2, 1, "1g")
    with pytest.raises(UserError, match=r"'core'.* cores, memory, memory_scope\. .* budget in globals\.yml"):
        ParallelismSetting.from_config(block, {"core": 2})


def test_a_host_gets_a_baseline_and_its_most_cores_in_two_shapes():
    available = [tuple(map(int, name.removeprefix("exec_").split("x"))) for name in ENVIRONMENTS]
    assert suited_shapes(1, available) == [(1, 1)]
    assert suited_shapes(2, available) == [(1, 1), (2, 1), (2, 2)]
    assert suited_shapes(7, available) == [(1, 1), (4, 1), (4, 4)]
    assert suited_shapes(64, available) == [(1, 1), (8, 1), (8, 8)]
    assert suited_shapes(2, [(4, 1), (8, 8)]) == []


@given(SMALL, st.sets(st.sampled_from(legal_shapes(24)), min_size=1))
def test_suited_shapes_are_available_ones_that_fit_the_host(cores, available):
    suited = suited_shapes(cores, list(available))
    assert set(suited) <= {shape for shape in available if shape[0] <= cores}
    assert len(suited) == len(set(suited)) <= 3
    assert bool(suited) == any(shape[0] <= cores for shape in available)


def test_the_host_has_a_core():
    assert host_cores() >= 1


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),  # a container of its own
        ("0::/a/b", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2),  # a limit above
        ("0::/", {}, float("inf")),
        ("3:cpu,cpuacct:/x\n2:memory:/y", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3),
        (
            "1:cpu:/docker/0",
            {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"},
            0.5,
        ),  # seen from within
        ("1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, float("inf")),
        ("0::/", {"cpu.max": "max 100000"}, float("inf")),
    ],
)
def test_the_quota_of_a_container_counts(tmp_path, monkeypatch, own, files, quota):
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert setting._quota(tmp_path, tmp_path / "own") == quota
    monkeypatch.setattr(setting, "_quota", lambda: quota)
    monkeypatch.setattr(setting, "affinity_cores", lambda: 8)
    assert host_cores() == {1.5: 1, 0.5: 1, float("inf"): 8}.get(quota, quota)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_environment_holds_the_legal_setting_of_its_name(environment):
    assert setting_of(load_configuration(environment)).name == environment


def test_there_is_an_environment_for_a_single_core_and_for_the_whole_budget():
    cores = load_configuration()["globals"]["budget"]["cores"]
    assert {"exec_1x1", f"exec_{cores}x1", f"exec_{cores}x{cores}"} <= set(ENVIRONMENTS)


def test_settings_lists_the_environments_that_hold_a_setting_alone():
    result = CliRunner().invoke(cli, ["settings"])
    assert sorted(re.findall(r"^│ (\w+)", result.output, re.MULTILINE)) == ENVIRONMENTS

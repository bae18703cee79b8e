"""An environment for a setting that was planned."""

from pathlib import Path

from cifar_pipelines.common import whole_files
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.scaling.planner import plan_settings
from cifar_pipelines.spark.setting import Budget


def write_environment(name: str, budget: Budget, executor_memory: str | None, conf: Path) -> Path:
    """Writes the environment of a legal setting, which has its name.

    Args:
        name: The setting, `exec_<M>x<C>`, or `exec_<M>x<C>_<memory>` for one beside it with another memory.
        budget: The configured budget, within which a run will have to stay.
        executor_memory: The most that one executor shall get; None for as much as fits.
        conf: The configuration folder.

    Returns:
        The file.

    Raises:
        UserError: If the setting is not legal, or its environment is there already.
    """
    shape, _, memory = name.removeprefix("exec_").partition("_")
    cores = f"exec_{shape}"
    legal, refused = plan_settings(budget, memory or executor_memory)
    setting = next((one for one in legal if one.name == cores), None)
    if setting is not None and memory and setting.executor_memory != memory:
        raise UserError(
            f"{name} is no legal setting: {memory} for each executor is not what the budget leaves, which is {setting.executor_memory}. "
            f"Write exec_{shape}_{setting.executor_memory}, or less."
        )
    if setting is None:
        broken = next((one.rule for one in refused if one.name == cores), None)
        reason = (
            broken or f"the budget has {budget.cores} cores, and a setting is called exec_<cores>x<cores per executor>"
        )
        legal_names = ", ".join(one.name for one in legal)
        raise UserError(f"{name} is no legal setting: {reason}. Legal ones are {legal_names}.")
    target = conf / name / "globals.yml"
    if target.parent.exists():
        raise UserError(
            f"The environment {name} is there already: {target}. Change it there, or remove its folder first."
        )
    lines = [
        "parallelism:",
        f"  cores_max: {setting.cores_max}",
        f"  executor_cores: {setting.executor_cores}",
        f"  executor_memory: {setting.executor_memory}",
        *(["  named_after_memory: true"] if memory else []),
    ]
    with whole_files.writing(target.parent) as partial:  # a folder without its file would pass for an environment
        partial.mkdir()
        (partial / target.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target

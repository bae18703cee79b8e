"""Speed-up, parallel efficiency and utilisation of every setting, from measured times."""

import pandas as pd

from cifar_pipelines.records.summary import MODEL, SECTION


def add_scaling(summary: pd.DataFrame) -> pd.DataFrame:
    """Compares every setting with the smallest measured one of the same model.

    The smallest setting has the fewest cores and, among those, the fewest cores per executor.

    Returns:
        What `summarise` returned, with the columns `reference_setting` and `reference_cores`; `speedup` = reference
        time / time; `efficiency` = speed-up / (cores / reference cores); `core_seconds` = cores x
        median time; `utilisation` = task CPU seconds / (cores x clocked seconds), where the CPU seconds
        are those of the JVM's task threads and, where Python workers compute (CNNs, features), of these
        as well; `accuracy_per_core_minute`.
    """
    ordered = summary.sort_values(["cores", "executor_cores"], kind="stable")
    first = ordered.groupby(SECTION + MODEL)[["setting", "cores", "time_s"]].transform("first").sort_index()
    core_seconds = summary["cores"] * summary["time_s"]
    speedup = first["time_s"] / summary["time_s"]
    return summary.assign(
        reference_setting=first["setting"],
        reference_cores=first["cores"],
        speedup=speedup,
        efficiency=speedup * first["cores"] / summary["cores"],
        core_seconds=core_seconds,
        utilisation=summary["task_cpu_s"] / (summary["cores"] * summary["clocked_s"]),
        accuracy_per_core_minute=summary["accuracy"].astype(float) / (core_seconds / 60),
    )


def under_several_settings(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of those models of a study that were measured under more than one setting."""
    return rows[rows.groupby("label")["setting"].transform("nunique") > 1]


def one_setting(rows: pd.DataFrame) -> str:
    """Says why nothing can be said of speed-up, where no model was measured under more than one setting."""
    settings = sorted(rows["setting"].unique())
    where = (
        f"All was measured under {settings[0]}" if len(settings) == 1 else "Every model was measured under one setting"
    )
    return (
        f"{where} alone, so there is no speed-up, no efficiency and no model of scaling: these need a second setting."
    )

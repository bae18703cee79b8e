"""The learning curves of all networks, as one table."""

import pandas as pd

from cifar_pipelines.records.run_record import HISTORY
from cifar_pipelines.records.summary import MODEL, SECTION


def histories_table(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Collects the learning curves that belong to a summary.

    Args:
        table: What `records_to_table` returned.
        summary: What `summarise` made of it.

    Returns:
        One row per epoch of the latest run of every network and setting: what names the section, `label`,
        `setting`, `run_id`, `put_together` (whether the run was resumed or restarted), `phase` (of a transfer, from 1;
        else missing) and the columns of `HISTORY`. Empty, but with these columns, where no network was trained.
    """
    key = [*SECTION, *MODEL, "setting"]
    kept = table.merge(summary[[*key, "params_digest", "label"]], on=[*key, "params_digest"])
    latest = kept.groupby(key, sort=False).tail(1)
    about = [*SECTION, "label", "setting", "run_id"]
    rows = [
        {name: run[name] for name in about}
        | {"put_together": bool(run["resumed"] or run["lost_attempts"])}
        | {"phase": epoch.get("phase")}
        | {name: epoch[name] for name in HISTORY}
        for _, run in latest.iterrows()
        for epoch in run["history"]
    ]
    return pd.DataFrame(rows, columns=[*about, "put_together", "phase", *HISTORY])

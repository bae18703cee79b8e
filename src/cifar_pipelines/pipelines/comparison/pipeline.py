"""The comparison pipeline; it needs no Spark."""

from collections.abc import Sequence

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.pipelines.comparison import nodes
from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.report.content import make_content
from cifar_pipelines.report.sections.forecasts import check_forecasts
from cifar_pipelines.report.sections.time import join_applications


def create_pipeline(
    run_records: Sequence[str] = ("run_records", "spark_ml_run_records", "bigdl_cnn_run_records"), **_: object
) -> Pipeline:
    """Builds the pipeline.

    Args:
        run_records: Names of the datasets that hold run records. A pipeline that writes one of them
            in the same run is compared after it has finished.

    Returns:
        The pipeline, from run records and applications to plots and report.
    """
    plots = comparison_plots()
    summary = ["comparison_table", "comparison_histories", "comparison_left_out", "comparison_records"]
    where_time_went = ["comparison_components", "comparison_timeline", "comparison_applications_left_out"]
    content = [
        *(
            "comparison_table",
            "comparison_records",
            "comparison_left_out",
            "comparison_applications_left_out",
        ),
        *("comparison_forecasts", "comparison_components", "reporting_folder"),
        *(plot.dataset for plot in plots),
    ]
    files = ["comparison_pdf", "comparison_html"]
    return pipeline(
        [
            node(nodes.compare_runs, list(run_records), summary, name="compare_runs"),
            node(
                check_forecasts,
                ["fit_forecasts", "comparison_records"],
                "comparison_forecasts",
                name="check_forecasts",
            ),
            node(
                join_applications,
                ["applications", "comparison_table"],
                where_time_went,
                name="join_applications",
            ),
            *(node(plot.draw, list(plot.inputs), plot.dataset, name=plot.draw.__name__) for plot in plots),
            node(make_content, content, "comparison_content", name="make_report_content"),
            node(
                nodes.write_report, "comparison_content", "comparison_report", name="write_comparison_report"
            ),
            node(nodes.write_files, "comparison_content", files, name="write_comparison_files"),
        ],
        tags="comparison",
    )

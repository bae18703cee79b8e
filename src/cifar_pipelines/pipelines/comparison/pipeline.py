"""The comparison pipeline; it needs no Spark."""

from kedro.pipeline import Pipeline, node, pipeline

from cifar_pipelines.families import STUDIES, family_names
from cifar_pipelines.pipelines.comparison import nodes
from cifar_pipelines.plots.registry import comparison_plots
from cifar_pipelines.report.content import make_content
from cifar_pipelines.report.sections.forecasts import check_forecasts
from cifar_pipelines.report.sections.time import join_applications


def create_pipeline(**_: object) -> Pipeline:
    """Builds the pipeline, from run records and applications to plots and report.

    Every family announces its records, and so does every study: what runs in the same run is told of after it
    has finished.
    """
    plots, announced = comparison_plots(), [f"{name}_run_records" for name in (*family_names(), *STUDIES)]
    summary = ["comparison_table", "comparison_histories", "comparison_left_out", "comparison_records"]
    where_time_went = ["comparison_components", "comparison_timeline", "comparison_applications_left_out"]
    content = [
        "comparison_table", "comparison_records", "comparison_left_out", "comparison_applications_left_out",
        "comparison_forecasts", "comparison_components", "reporting_folder", "params:report", *(plot.dataset for plot in plots),
    ]  # fmt: skip
    files = ["comparison_pdf", "comparison_html"]
    return pipeline(
        [
            node(nodes.compare_runs, ["run_records", *announced], summary, name="compare_runs"),
            node(check_forecasts, ["fit_forecasts", "comparison_records"],
                 "comparison_forecasts", name="check_forecasts"),
            node(join_applications, ["applications", "comparison_table"], where_time_went, name="join_applications"),
            node(nodes.select_main_study, ["comparison_table", "comparison_histories", "comparison_components"],
                 ["study_table", "study_histories", "study_components"], name="select_main_study"),
            *(node(plot.draw, list(plot.inputs), plot.dataset, name=plot.draw.__name__) for plot in plots),
            node(make_content, content, "comparison_content", name="make_report_content"),
            node(nodes.write_report, "comparison_content", "comparison_report", name="write_comparison_report"),
            node(nodes.write_files, "comparison_content", files, name="write_comparison_files"),
        ],
        namespace="comparison",
        prefix_datasets_with_namespace=False,
        tags="comparison",
    )  # fmt: skip

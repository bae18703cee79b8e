"""The comparison pipeline; it needs no Spark."""

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline, node, pipeline

from cifar_pipelines.pipelines.comparison import document, nodes
from cifar_pipelines.plots import of_comparison, of_components, of_training
from cifar_pipelines.report.sections import time
from cifar_pipelines.report.sections.forecasts import check_predictions


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
    plots = {
        "comparison_accuracy_time_plot": of_comparison.plot_accuracy_time,
        "comparison_time_by_setting_plot": of_comparison.plot_time_by_setting,
        "comparison_speedup_plot": of_comparison.plot_speedup,
        "comparison_resources_plot": of_comparison.plot_resources,
    }
    compared = [
        node(
            nodes.compare_runs,
            inputs=list(run_records),
            outputs=["comparison_table", "comparison_histories", "comparison_left_out"],
            name="compare_runs",
        ),
        node(
            check_predictions,
            inputs=["fit_predictions", *run_records],
            outputs="comparison_predictions",
            name="check_predictions",
        ),
        *(
            node(draw, inputs="comparison_table", outputs=output, name=draw.__name__)
            for output, draw in plots.items()
        ),
        node(
            of_training.plot_all_histories,
            inputs=["comparison_histories", "comparison_table"],
            outputs="comparison_learning_curves_plot",
            name="plot_all_histories",
        ),
        node(
            time.join_applications,
            inputs=["applications", "comparison_table"],
            outputs=[
                *("comparison_components", "comparison_timeline", "comparison_applications_left_out"),
            ],
            name="join_applications",
        ),
        node(
            of_components.plot_components,
            inputs="comparison_components",
            outputs="comparison_components_plot",
            name="plot_components",
        ),
        node(
            of_components.plot_timeline,
            inputs="comparison_timeline",
            outputs="comparison_timeline_plot",
            name="plot_timeline",
        ),
        node(
            nodes.write_report,
            inputs=[
                *("comparison_table", "comparison_left_out", "comparison_predictions"),
                *("comparison_components", "comparison_applications_left_out"),
            ],
            outputs="comparison_report",
            name="write_comparison_report",
        ),
    ]
    return pipeline([*compared, *_document(compared, run_records)], tags="comparison")


def _document(compared: Sequence[Node], run_records: Sequence[str]) -> list[Node]:
    """The nodes that write PDF and HTML, with every plot that the others draw."""
    plots = [name for made in compared for name in made.outputs if name.endswith(document.PLOT)]
    inputs = ["comparison_report", "comparison_table", "comparison_left_out", "reporting_folder"]
    return [
        node(
            document.write_document,
            inputs={name: name for name in (*inputs, *plots, *run_records)},
            outputs="comparison_document",
            name="write_comparison_document",
        ),
        node(
            document.write_files,
            inputs="comparison_document",
            outputs=["comparison_pdf", "comparison_html"],
            name="write_comparison_files",
        ),
    ]

"""Datasets of the catalog, imported when they are used: some need Spark."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "files": ["ArraysDataset", "BytesDataset", "PlotDataset"],
        "folder": ["FolderDataset"],
        "image_source": ["ImageSourceDataset"],
        "json_model": ["JsonModelDataset", "SavedJson"],
        "learned_model": ["LearnedModelDataset", "SavedLearner"],
        "rows": ["CsvRowsDataset", "ParquetRowsDataset"],
        "run_records": ["RunRecordsDataset"],
        "spark_model": ["SavedModel", "SparkModelDataset"],
        "spark_table": ["SparkTableDataset"],
        "table_folder": ["TableFolderDataset"],
        "trained_network": ["SavedNetwork", "TrainedNetworkDataset"],
    },
)

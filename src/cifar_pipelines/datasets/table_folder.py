"""The folder of a Spark table that a node reads without Spark; a run locks it as it locks the table itself."""

from cifar_pipelines.datasets.folder import FolderDataset


class TableFolderDataset(FolderDataset):
    """The path of a table."""

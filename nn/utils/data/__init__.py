"""Datasets, samplers and the loader that makes batches of them, as `torch.utils.data` has them.

>>> import autograd
>>> from nn.utils.data import DataLoader, TensorDataset
>>> x, y = autograd.randn(100, 8), autograd.randint(0, 2, (100,))
>>> [len(xb) for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)]
[32, 32, 32, 4]
"""

from nn.utils.data.collate import default_collate, default_convert
from nn.utils.data.dataloader import DataLoader
from nn.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from nn.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from nn.utils.data.worker import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

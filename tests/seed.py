"""The PyTorch cells of the seed document, retold: one text for both frameworks.

Only the header differs, by the names of the packages.  `utils` is in it because two cells of the
seed call `utils.clip_grad_norm_` without importing it.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any, NamedTuple

OURS = """\
import autograd as torch
import nn
import nn.functional as F
import optim
from nn import utils
from nn.utils.data import DataLoader, TensorDataset
import numpy as np
"""
PYTORCH = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.nn import utils
from torch.utils.data import DataLoader, TensorDataset
import numpy as np
"""


class Cell(NamedTuple):
    """A cell: what it is about, what it defines, and what it then does."""

    title: str
    setup: str
    work: str = ""


_NORMED = """
class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 4)
        self.batchnorm = nn.BatchNorm1d(4)
        self.layer2 = nn.Linear(4, 1)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        hidden = torch.relu(self.batchnorm(self.layer1(x)))
        return self.activation(self.layer2(hidden))

model = Normed()
optimizer = optim.Adam(model.parameters(), lr=0.01)
X_batch = torch.tensor([[0.5, 0.2], [0.1, 0.7]])
"""

CELLS = {
    1: Cell(
        "XOR by an MLP",
        """
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
y = np.array([[0], [1], [1], [0]], dtype=np.float32)
X_tensor, y_tensor = torch.tensor(X), torch.tensor(y)

class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 4)
        self.layer2 = nn.Linear(4, 1)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        return self.activation(self.layer2(torch.relu(self.layer1(x))))

model = MLP()
criterion = nn.BCELoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)
""",
        """
curve = []
for epoch in range(1000):
    optimizer.zero_grad()
    loss = criterion(model(X_tensor), y_tensor)
    loss.backward()
    optimizer.step()
    curve.append(loss.item())
print(f"Final loss: {loss.item():.4f}")
""",
    ),
    3: Cell(
        "dropout",
        """
class Dropped(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 4)
        self.dropout = nn.Dropout(p=0.5)
        self.layer2 = nn.Linear(4, 1)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        hidden = self.dropout(F.relu(self.layer1(x)))
        return self.activation(self.layer2(hidden))

model = Dropped()
""",
    ),
    5: Cell(
        "batch normalisation",
        """
class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(2, 4)
        self.batchnorm = nn.BatchNorm1d(4)
        self.layer2 = nn.Linear(4, 1)
        self.activation = nn.Sigmoid()

    def forward(self, x):
        hidden = F.relu(self.batchnorm(self.layer1(x)))
        return self.activation(self.layer2(hidden))

model = Normed()
""",
    ),
    7: Cell(
        "initial weights by LeCun (the seed says Xavier) and He",
        """
def xavier_init(shape):
    return torch.randn(shape) * torch.sqrt(torch.tensor(1.0) / shape[1])

def he_init(shape):
    return torch.randn(shape) * torch.sqrt(torch.tensor(2.0) / shape[1])
""",
    ),
    9: Cell(
        "gradient clipping",
        _NORMED,
        """
for epoch in range(10):
    model.train()
    optimizer.zero_grad()
    loss = model(X_batch).mean()
    loss.backward()
    utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    print(f"Epoch {epoch + 1}, Loss: {loss.item():.4f}")
""",
    ),
    11: Cell(
        "learning rate schedules",
        _NORMED
        + """
scheduler_exp = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
scheduler_step = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
""",
        """
for epoch in range(20):
    model.train()
    optimizer.zero_grad()
    loss = model(X_batch).mean()
    loss.backward()
    utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    scheduler_exp.step()
    print(f"Epoch {epoch + 1}, Learning Rate: {scheduler_exp.get_last_lr()[0]:.6f}")
""",
    ),
}
"""By the number of the code cell in the seed, from 1; the even ones are Keras's."""


class Notebook:
    """A namespace in which cells run, and what they print."""

    def __init__(self, header: str):
        self.names: dict[str, Any] = {"__name__": "seed"}
        self.printed: list[str] = []
        self.run(header)

    def run(self, text: str) -> Notebook:
        """Run a text as a cell; returns itself."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(text, "<seed>", "exec"), self.names)
        self.printed += out.getvalue().splitlines()
        return self

    def __getattr__(self, name: str) -> Any:
        return self.names[name]

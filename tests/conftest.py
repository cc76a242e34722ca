"""What every test may ask for.  Warnings are errors: see pyproject.toml."""

import numpy as np
import pytest

import autograd


@pytest.fixture(autouse=True)
def _seeded():
    """The engine's own generator starts the same in every test."""
    autograd.manual_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator that is the same in every run."""
    return np.random.default_rng(0)

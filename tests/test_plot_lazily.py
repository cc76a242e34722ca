"""nn.plot without matplotlib, and before its first picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCKED = "import sys; sys.modules['matplotlib'] = None; "


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def test_matplotlib_is_loaded_at_the_first_picture():
    code = "import sys, nn; from nn import plot; sys.exit('matplotlib' in sys.modules)"
    assert run(code).returncode == 0


def test_without_matplotlib_the_error_names_the_extra():
    done = run(BLOCKED + "from nn import plot; plot.training_curves([1, 2])")
    assert done.returncode == 1
    assert "ImportError: nn.plot draws with matplotlib" in done.stderr
    assert "pip install 'tapegrad[plot]'" in done.stderr

"""The README: its snippet runs, its tables and those of the manual are the measured ones, its picture exists."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SNIPPET = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)[0]


def test_first_snippet_runs_and_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(SNIPPET.splitlines()) <= 12
    names: dict[str, object] = {}
    exec(SNIPPET, names)
    assert "eV/atom" in capsys.readouterr().out
    assert np.abs(names["atoms"].get_forces()).max() < 0.01  # type: ignore[attr-defined]


def test_tables_are_what_the_benchmarks_stored() -> None:
    spec = importlib.util.spec_from_file_location("readme_tables", ROOT / "tests" / "benchmarks" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables = 0
    for page in module.PAGES:
        text = page.read_text()
        assert module.with_tables(text) == text, page
        tables += text.count("<!-- /")
    assert tables == 6


def test_picture_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", TEXT):
        assert (ROOT / path).stat().st_size > 10_000

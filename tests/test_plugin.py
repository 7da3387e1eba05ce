"""The families as plugins of ASE."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.calculators.calculator import external_calculators, get_calculator_class, names

import ase_mlips.plugin

PLUGINS = pytest.importorskip("ase._4.plugins", reason="this ASE has no plugins")


def test_families_are_plugins():
    from support.morse import MorseCalculator

    ase_mlips.plugin._plugins.cache_clear()
    found = {plugin.name: plugin for plugin in PLUGINS.PluginCollection.from_entry_points().calculators}
    assert found["snap"]() is ase_mlips.SNAP
    assert found["snap"].package == "ase_mlips"
    assert found["morsecalculator"]() is MorseCalculator


def test_families_are_found_by_name():
    assert get_calculator_class("snap") is ase_mlips.SNAP


def test_a_name_that_ase_has_stays_with_it():
    """``ace`` is ACE-Molecule's."""
    assert names.count("ace") == 1
    assert ase_mlips.ACE not in (get_calculator_class("ace"), external_calculators.get("ace"))
    ase_mlips.plugin._plugins.cache_clear()
    assert "ace" not in {plugin.name for plugin in ase_mlips.plugin.__ase_plugins__}


@pytest.mark.parametrize("first", ["ase_mlips.plugin", "ase._4.plugins"])
def test_order_of_imports_does_not_matter(first):
    code = f"""
import {first}, ase_mlips.plugin
ours = ase_mlips.plugin.__ase_plugins__
from ase._4.plugins import plugins
assert ours and ours <= plugins.plugins, ours
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parent)


def test_an_ase_without_plugins_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ase._4.plugins.plugin", None)
    assert ase_mlips.plugin.__ase_plugins__ == frozenset()
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ase_mlips.plugin.nonsense

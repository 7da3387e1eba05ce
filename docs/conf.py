"""How the manual is built: ``nox -s docs``, or ``sphinx-build -W docs docs/_build/html``."""

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT)]

from gallery_sources import write_gallery_sources  # noqa: E402

project = "ase_mlips"
copyright = "the authors of ase_mlips"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_examples", "conda"]
html_theme = "furo"
html_title = f"ase_mlips {release}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# `name` in a docstring is a link where there is such a name, and code elsewhere
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say the types
autodoc_default_options = {"members": True, "show-inheritance": True}
numpydoc_show_class_members = False

# Other manuals are reached through the network, which a check of a change must not need.
if os.environ.get("READTHEDOCS") == "True" or os.environ.get("DOCS_INTERSPHINX") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "ase": ("https://ase-lib.org", None),
        "phonopy": ("https://phonopy.github.io/phonopy", None),
    }

# The examples take minutes, and are run by the tests: here they are shown.
sphinx_gallery_conf = {
    "examples_dirs": str(write_gallery_sources(ROOT / "examples", HERE / "_examples")),
    "gallery_dirs": "examples",
    "plot_gallery": False,
    "within_subsection_order": "FileNameSortKey",
    "show_signature": False,
    "backreferences_dir": "examples/used",
    "doc_module": ("ase_mlips",),
    "write_computation_times": False,
}

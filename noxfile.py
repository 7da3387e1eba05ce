"""What a change must pass, each check by its name: ``nox -l`` lists them, ``nox -s lint types`` runs two.

Sessions work in the environment that nox itself is installed in (``pip install ".[dev]"``), so that nothing is
installed twice; only `lowest` makes one of its own, and `editable` a small one that borrows what is installed.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

ROOT = Path(__file__).parent
BIN = Path(sys.executable).parent
CONFIG = str(ROOT / "pyproject.toml")
SMOKE = """
import ase_mlips, ase_mlips.analysis, ase_mlips.fit, sys
from ase.build import bulk
from pathlib import Path
where = Path(ase_mlips.__file__).resolve()
assert where.is_relative_to(Path(sys.argv[1]).resolve()), where
atoms = bulk("Si")
atoms.calc = ase_mlips.SNAP.embedded("Si")
print(where, atoms.get_potential_energy())
"""
# A part that reaches ASE, Numba, SciPy, matplotlib, phonopy and spglib
QUICK = ["tests/conformance/test_snap.py", "tests/test_calculator.py", "tests/phonons", "tests/analysis/structure"]

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "contracts", "tests"]


def tool(session: nox.Session, name: str, *arguments: str, **options: object) -> None:
    """Run a program of the environment that nox is installed in."""
    session.run(str(BIN / name), *arguments, external=True, **options)  # type: ignore[arg-type]


@contextmanager
def outside(session: nox.Session) -> Iterator[Path]:
    """A temporary folder to work in, from which the sources cannot be imported by accident."""
    with tempfile.TemporaryDirectory() as folder, session.chdir(folder):
        yield Path(folder)


def as_installed(folder: Path) -> None:
    """Copy the sources to where an installation has them: the analysis within the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ase_mlips", folder / "ase_mlips", ignore=ignored)
    shutil.copytree(ROOT / "analysis", folder / "ase_mlips" / "analysis", ignore=ignored)


def modules(folder: Path) -> set[Path]:
    """Every Python file below, relative to `folder`."""
    return {path.relative_to(folder) for path in folder.rglob("*.py")}


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, with the examples in docstrings, on two cores; arguments after ``--`` go to pytest."""
    tool(session, "pytest", "-n", "2", "--dist", "worksteal", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    tool(session, "ruff", "check", ".")
    tool(session, "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of the whole package."""
    with outside(session) as folder:
        as_installed(folder)
        cache = str(ROOT / ".mypy_cache")
        tool(session, "mypy", "--config-file", CONFIG, "--cache-dir", cache, "ase_mlips")


@nox.session
def contracts(session: nox.Session) -> None:
    """Which part of the package may import which."""
    with outside(session) as folder:
        as_installed(folder)
        tool(session, "lint-imports", "--config", CONFIG, "--no-cache", env={"PYTHONPATH": str(folder)})


@nox.session
def docs(session: nox.Session) -> None:
    """The manual, with warnings as errors and without the network: docs/_build/html/index.html."""
    tool(session, "sphinx-build", "-q", "-E", "-W", "--keep-going", str(ROOT / "docs"), str(ROOT / "docs/_build/html"))


@nox.session
def package(session: nox.Session) -> None:
    """The sdist and the wheel hold every module, and work where the sources are not."""
    with outside(session) as folder:
        as_installed(folder / "expected")
        tool(session, "python", "-m", "build", "-q", "--outdir", str(folder / "dist"), str(ROOT))
        for archive in sorted((folder / "dist").iterdir()):
            target = folder / f"from_{archive.name}"
            tool(session, "python", "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(archive))
            missing = modules(folder / "expected") - modules(target)
            if missing:
                session.error(f"{archive.name} lacks {', '.join(map(str, sorted(missing)))}: see [tool.setuptools]")
            tool(session, "python", "-c", SMOKE, str(target), env={"PYTHONPATH": str(target)})


@nox.session
def editable(session: nox.Session) -> None:
    """``pip install -e .`` in a new environment, which finds all but this package where nox has it."""
    with outside(session) as folder:
        rest = folder / "rest"
        rest.mkdir()
        for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
            if not re.match(r"ase_mlips|__editable__", path.name) and path.suffix != ".pth":
                (rest / path.name).symlink_to(path)
        venv.create(folder / "venv", with_pip=True, symlinks=True)
        python = str(folder / "venv" / "bin" / "python")
        site = next((folder / "venv" / "lib").glob("python*/site-packages"))
        (site / "rest.pth").write_text(f"{rest}\n")
        session.run(python, "-m", "pip", "install", "-q", "--no-deps", "-e", str(ROOT), external=True)
        session.run(python, "-c", SMOKE, str(ROOT), external=True)


@nox.session
def boundscheck(session: nox.Session) -> None:
    """Kernels that look at every index."""
    files = "tests/test_neighbors.py", "tests/snap/test_potential.py"
    environment = {"NUMBA_BOUNDSCHECK": "1"}
    tool(session, "pytest", "-q", *files, "-k", "bounds or no_atoms or slab", env=environment)


@nox.session(python="3.11", venv_backend="venv", reuse_venv=True)
def lowest(session: nox.Session) -> None:
    """A quick part of the tests with the lowest versions that pyproject.toml allows."""
    project = tomllib.loads(Path(CONFIG).read_text())["project"]
    pins = [re.sub(r">=([\d.]+).*", r"==\1", line) for line in project["dependencies"]]
    session.install("-q", ".[test]", *pins)
    # What newer companions say of old versions are warnings, and no errors of this package.
    session.run("pytest", "-q", "-W", "default", *(session.posargs or QUICK))

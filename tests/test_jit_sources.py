"""Who may use Numba, and whether the name of the cache follows every file that kernels are made of."""

import ast
from functools import cache
from pathlib import Path

import ase_mlips.analysis

from ase_mlips.engine import jit
from ase_mlips.engine.kernel_cache import source_files

PACKAGE = Path(jit.__file__).parents[1]
ENGINE = PACKAGE / "engine"
ANALYSIS = Path(ase_mlips.analysis.__file__).parent


@cache
def modules() -> dict[Path, ast.Module]:
    files = sorted({*PACKAGE.rglob("*.py"), *ANALYSIS.rglob("*.py")})
    return {path: ast.parse(path.read_text()) for path in files}


def hashed_files() -> set[Path]:
    return set(source_files())


def own_imports(path: Path, tree: ast.Module) -> dict[Path, list[str]]:
    """Files of the package that a module imports from, and what from each."""
    found: dict[Path, list[str]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        parts = (node.module or "").split(".")
        if node.level:
            base = path.parents[node.level - 1].joinpath(*parts)
        elif parts[0] == "ase_mlips" and parts[1:2] != ["analysis"]:
            base = PACKAGE.joinpath(*parts[1:])
        else:
            continue
        for name in (alias.name for alias in node.names):
            candidates = (
                base.with_suffix(".py"),
                base / f"{name}.py",
                base / name / "__init__.py",
                base / "__init__.py",
            )
            target = next(file for file in candidates if file.exists())
            found.setdefault(target, []).append(name)
    return found


def decorated(tree: ast.Module) -> dict[str, set[str]]:
    """Names of the functions under @kernel and under @device."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {
        wanted: {f.name for f in functions if any(isinstance(d, ast.Name) and d.id == wanted for d in f.decorator_list)}
        for wanted in ("kernel", "device")
    }


def test_few_modules_import_numba():
    users = set()
    for path, tree in modules().items():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(name.split(".")[0] in ("numba", "llvmlite") for name in names):
                users.add(path)
    assert users == {ENGINE / name for name in ("fields.py", "jit.py", "kernel_cache.py", "points.py", "simd.py")}


def test_the_hash_covers_all_that_kernels_are_made_of():
    """Numba notices edits of an entry point's own file only; helpers and constants must come from hashed files."""
    trees, hashed = modules(), hashed_files()
    assert {ENGINE / "simd.py", ENGINE / "lanes.py", PACKAGE / "snap" / "kernels.py"} <= hashed
    helpers = {path: decorated(tree)["device"] for path, tree in trees.items() if path not in hashed}
    for path, tree in trees.items():
        imports = own_imports(path, tree)
        for source, names in imports.items():
            assert not helpers.get(source, set()) & set(names), f"{path} uses a helper of {source}, which is not hashed"
        if path in hashed and path.name != "simd.py":  # its emulation is not compiled
            assert set(imports) <= hashed, f"{path} takes something from a file that is not hashed"

"""Runs as functions: settings in, a result out that draws and saves itself and says where it comes from."""

from .jobs import KINDS, Job, Kind, read_job
from .md import MDFiles, run_md
from .provenance import provenance
from .relaxation import relax
from .results import MDResult, RelaxResult
from .settings import MDRun, RelaxRun, Settings
from .trajectory import read_description

__all__ = [
    "KINDS",
    "Job",
    "Kind",
    "MDFiles",
    "MDResult",
    "MDRun",
    "RelaxResult",
    "RelaxRun",
    "Settings",
    "provenance",
    "read_description",
    "read_job",
    "relax",
    "run_md",
]

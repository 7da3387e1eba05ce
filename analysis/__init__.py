"""Analysis of trajectories: from frames to properties."""

from .correlation import correlation
from .rdf import RDF, rdf
from .vdos import VDOS, vdos

__all__ = ["RDF", "VDOS", "correlation", "rdf", "vdos"]

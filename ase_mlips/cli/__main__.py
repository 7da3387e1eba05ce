"""Lets ``python -m ase_mlips.cli`` stand for the command."""

import sys

from . import main

sys.exit(main())

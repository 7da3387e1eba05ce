"""Types of arrays, for annotations."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]  # of kernels: numbers of atoms, species and places
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

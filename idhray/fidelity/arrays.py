"""Array types that the modules of fidelity share."""

import numpy as np
from numpy.typing import NDArray

ImageArray = NDArray[np.uint8]  # (N, height, width, channels)
Indices = NDArray[np.int64]  # positions of images in an array
PatientCodes = NDArray[np.int64]  # (N,), the patient of each image as a number from 0

"""DICOM series read as volumes."""

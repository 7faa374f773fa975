"""Ray job: `idhray export-onnx`. Start it with

ray job submit --working-dir . -- python jobs/export_onnx.py --help
"""

from idhray.cli import job

job(__file__)

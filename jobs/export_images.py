"""Ray job: `idhray export-images`. Start it with

ray job submit --working-dir . -- python jobs/export_images.py --help
"""

from idhray.cli import job

job(__file__)

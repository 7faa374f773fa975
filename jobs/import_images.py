"""Ray job: `idhray import-images`. Start it with

ray job submit --working-dir . -- python jobs/import_images.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray checklist`. Start it with

ray job submit --working-dir . -- python jobs/checklist.py --help
"""

from idhray.cli import job

job(__file__)

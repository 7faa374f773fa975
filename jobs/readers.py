"""Ray job: `idhray readers`. Start it with

ray job submit --working-dir . -- python jobs/readers.py --help
"""

from idhray.cli import job

job(__file__)

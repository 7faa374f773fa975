"""Ray job: `idhray sweep`. Start it with

ray job submit --working-dir . -- python jobs/sweep.py --help
"""

from idhray.cli import job

job(__file__)

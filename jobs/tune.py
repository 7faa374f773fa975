"""Ray job: `idhray tune`. Start it with

ray job submit --working-dir . -- python jobs/tune.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray status`. Start it with

ray job submit --working-dir . -- python jobs/status.py --help
"""

from idhray.cli import job

job(__file__)

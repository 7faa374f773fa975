"""Ray job: `idhray doctor`. Start it with

ray job submit --working-dir . -- python jobs/doctor.py --help
"""

from idhray.cli import job

job(__file__)

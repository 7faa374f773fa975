"""Ray job: `idhray audit`. Start it with

ray job submit --working-dir . -- python jobs/audit.py --help
"""

from idhray.cli import job

job(__file__)

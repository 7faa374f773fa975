"""Ray job: `idhray plan`. Start it with

ray job submit --working-dir . -- python jobs/plan.py --help
"""

from idhray.cli import job

job(__file__)

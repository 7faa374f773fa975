"""Ray job: `idhray split-cohort`. Start it with

ray job submit --working-dir . -- python jobs/split_cohort.py --help
"""

from idhray.cli import job

job(__file__)

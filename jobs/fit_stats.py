"""Ray job: `idhray fit-stats`. Start it with

ray job submit --working-dir . -- python jobs/fit_stats.py --help
"""

from idhray.cli import job

job(__file__)

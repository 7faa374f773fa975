"""Ray job: `idhray report`. Start it with

ray job submit --working-dir . -- python jobs/report.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray study`. Start it with

ray job submit --working-dir . -- python jobs/study.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray encode`. Start it with

ray job submit --working-dir . -- python jobs/encode.py --help
"""

from idhray.cli import job

job(__file__)

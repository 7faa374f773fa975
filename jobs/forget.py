"""Ray job: `idhray forget`. Start it with

ray job submit --working-dir . -- python jobs/forget.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray synthesize`. Start it with

ray job submit --working-dir . -- python jobs/synthesize.py --help
"""

from idhray.cli import job

job(__file__)

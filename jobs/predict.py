"""Ray job: `idhray predict`. Start it with

ray job submit --working-dir . -- python jobs/predict.py --help
"""

from idhray.cli import job

job(__file__)

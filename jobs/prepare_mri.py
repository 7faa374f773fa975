"""Ray job: `idhray prepare-mri`. Start it with

ray job submit --working-dir . -- python jobs/prepare_mri.py --help
"""

from idhray.cli import job

job(__file__)

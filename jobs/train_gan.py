"""Ray job: `idhray train-gan`. Start it with

ray job submit --working-dir . -- python jobs/train_gan.py --help
"""

from idhray.cli import job

job(__file__)

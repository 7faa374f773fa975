"""Ray job: `idhray train-classifier`. Start it with

ray job submit --working-dir . -- python jobs/train_classifier.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray evaluate-gan`. Start it with

ray job submit --working-dir . -- python jobs/evaluate_gan.py --help
"""

from idhray.cli import job

job(__file__)

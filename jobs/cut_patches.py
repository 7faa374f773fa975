"""Ray job: `idhray cut-patches`. Start it with

ray job submit --working-dir . -- python jobs/cut_patches.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray make-manifest`. Start it with

ray job submit --working-dir . -- python jobs/make_manifest.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: `idhray make-phantom`. Start it with

ray job submit --working-dir . -- python jobs/make_phantom.py --help
"""

from idhray.cli import job

job(__file__)

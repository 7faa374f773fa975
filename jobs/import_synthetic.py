"""Ray job: `idhray import-synthetic`. Start it with

ray job submit --working-dir . -- python jobs/import_synthetic.py --help
"""

from idhray.cli import job

job(__file__)

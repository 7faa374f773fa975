"""Ray job: `idhray tile-slides`. Start it with

ray job submit --working-dir . -- python jobs/tile_slides.py --help
"""

from idhray.cli import job

job(__file__)

"""Ray job: slides to tiles. Same flags as `idhray tile-slides`.

ray job submit --working-dir . -- python jobs/tile_slides.py --help
"""

import sys

from idhray.cli import main

main(["tile-slides", *sys.argv[1:]])

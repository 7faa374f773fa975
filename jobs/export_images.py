"""Ray job: images in the formats of other tools. Same flags as `idhray export-images`.

ray job submit --working-dir . -- python jobs/export_images.py --help
"""

import sys

from idhray.cli import main

main(["export-images", *sys.argv[1:]])

"""Ray job: images of other tools to patches. Same flags as `idhray import-images`.

ray job submit --working-dir . -- python jobs/import_images.py --help
"""

import sys

from idhray.cli import main

main(["import-images", *sys.argv[1:]])

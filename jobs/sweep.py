"""Ray job: a classifier for each count of synthetic images. Same flags as `idhray sweep`.

ray job submit --working-dir . -- python jobs/sweep.py --help
"""

import sys

from idhray.cli import main

main(["sweep", *sys.argv[1:]])

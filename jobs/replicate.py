"""Ray job: both papers' tables recomputed. Same flags as `idhray replicate`.

ray job submit --working-dir . -- python jobs/replicate.py --help
"""

import sys

from idhray.cli import main

main(["replicate", *sys.argv[1:]])

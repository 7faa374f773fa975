"""Ray job: what a test cohort can detect. Same flags as `idhray plan`.

ray job submit --working-dir . -- python jobs/plan.py --help
"""

import sys

from idhray.cli import main

main(["plan", *sys.argv[1:]])

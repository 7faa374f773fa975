"""Ray job: the split by patient, written as a manifest. Same flags as `idhray split-cohort`.

ray job submit --working-dir . -- python jobs/split_cohort.py --help
"""

import sys

from idhray.cli import main

main(["split-cohort", *sys.argv[1:]])

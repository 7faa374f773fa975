"""Ray job: the statistics of predictions. Same flags as `idhray fit-stats`.

ray job submit --working-dir . -- python jobs/fit_stats.py --help
"""

import sys

from idhray.cli import main

main(["fit-stats", *sys.argv[1:]])

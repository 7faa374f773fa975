"""Ray job: the HTML report of a study. Same flags as `idhray report`.

ray job submit --working-dir . -- python jobs/report.py --help
"""

import sys

from idhray.cli import main

main(["report", *sys.argv[1:]])

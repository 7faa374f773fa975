"""Ray job: what cannot be right in a table of reported results. Same flags as `idhray audit`.

ray job submit --working-dir . -- python jobs/audit.py --help
"""

import sys

from idhray.cli import main

main(["audit", *sys.argv[1:]])

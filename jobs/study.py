"""Ray job: all of it. Same flags as `idhray study`.

ray job submit --working-dir . -- python jobs/study.py --help
"""

import sys

from idhray.cli import main

main(["study", *sys.argv[1:]])

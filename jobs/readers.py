"""Ray job: blinded cases for readers, and their answers. Same flags as `idhray readers`.

ray job submit --working-dir . -- python jobs/readers.py --help
"""

import sys

from idhray.cli import main

main(["readers", *sys.argv[1:]])

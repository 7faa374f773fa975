"""Ray job: tiles to patches. Same flags as `idhray cut-patches`.

ray job submit --working-dir . -- python jobs/cut_patches.py --help
"""

import sys

from idhray.cli import main

main(["cut-patches", *sys.argv[1:]])

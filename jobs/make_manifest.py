"""Ray job: a manifest from slides and labels. Same flags as `idhray make-manifest`.

ray job submit --working-dir . -- python jobs/make_manifest.py --help
"""

import sys

from idhray.cli import main

main(["make-manifest", *sys.argv[1:]])

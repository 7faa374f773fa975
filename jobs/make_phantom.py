"""Ray job: a made-up cohort with a known truth. Same flags as `idhray make-phantom`.

ray job submit --working-dir . -- python jobs/make_phantom.py --help
"""

import sys

from idhray.cli import main

main(["make-phantom", *sys.argv[1:]])

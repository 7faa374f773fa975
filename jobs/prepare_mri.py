"""Ray job: MRI to paired slices. Same flags as `idhray prepare-mri`.

ray job submit --working-dir . -- python jobs/prepare_mri.py --help
"""

import sys

from idhray.cli import main

main(["prepare-mri", *sys.argv[1:]])

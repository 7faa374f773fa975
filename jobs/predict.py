"""Ray job: a classifier's predictions by patient. Same flags as `idhray predict`.

ray job submit --working-dir . -- python jobs/predict.py --help
"""

import sys

from idhray.cli import main

main(["predict", *sys.argv[1:]])

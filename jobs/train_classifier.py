"""Ray job: one classifier. Same flags as `idhray train-classifier`.

ray job submit --working-dir . -- python jobs/train_classifier.py --help
"""

import sys

from idhray.cli import main

main(["train-classifier", *sys.argv[1:]])

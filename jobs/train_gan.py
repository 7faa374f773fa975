"""Ray job: GANs, each on the training patients of a class. Same flags as `idhray train-gan`.

ray job submit --working-dir . -- python jobs/train_gan.py --help
"""

import sys

from idhray.cli import main

main(["train-gan", *sys.argv[1:]])

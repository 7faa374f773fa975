"""Ray job: synthetic images from a trained GAN. Same flags as `idhray synthesize`.

ray job submit --working-dir . -- python jobs/synthesize.py --help
"""

import sys

from idhray.cli import main

main(["synthesize", *sys.argv[1:]])

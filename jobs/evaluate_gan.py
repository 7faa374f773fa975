"""Ray job: how good a GAN's images are; are they copies? Same flags as `idhray evaluate-gan`.

ray job submit --working-dir . -- python jobs/evaluate_gan.py --help
"""

import sys

from idhray.cli import main

main(["evaluate-gan", *sys.argv[1:]])

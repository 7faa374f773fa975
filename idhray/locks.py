"""Locks of files that the kernel frees when their process ends.

Some shared file systems have no such locks: Lustre without `-o flock`, NFS without lockd, FUSE.
"""

import errno
import fcntl
from typing import Literal

Lock = Literal["held", "busy", "unsupported"]

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


def lock(descriptor: int, operation: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> Lock:
    """Lock an open file or folder: `held`, `busy` if another process has it, or `unsupported`.

    Args:
        descriptor: Descriptor of the file.
        operation: Operation of `fcntl.flock`; by default an exclusive lock without waiting.
    """
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return "busy"
    except OSError as error:
        if error.errno in NO_LOCKS:
            return "unsupported"
        raise
    return "held"

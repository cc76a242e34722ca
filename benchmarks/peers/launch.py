"""Run a command and print its wall time, peak memory and output, as JSON.

A process of its own, and a small one: what a child's peak memory begins with is its parent's.
"""

import json
import os
import sys
import time

read, write = os.pipe()
actions = [
    (os.POSIX_SPAWN_DUP2, write, 1),
    (os.POSIX_SPAWN_CLOSE, read),
]
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
os.close(write)
with os.fdopen(read) as out:
    text = out.read()
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024
found = {
    "status": os.waitstatus_to_exitcode(status),
    "seconds": wall,
    "bytes": usage.ru_maxrss * unit,
    "cpu": usage.ru_utime + usage.ru_stime,
    "out": text,
}
print(json.dumps(found))

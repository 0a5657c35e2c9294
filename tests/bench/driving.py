# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the drivers of recorded programs share."""

import random
import socket
import sys
import time

rand = random.random


def skewed(n, power):
    return int(n * rand() ** power)


def connect(port):
    for _ in range(600):
        try:
            return socket.create_connection(('127.0.0.1', port)).makefile('rwb', 1 << 20)
        except OSError:
            time.sleep(.1)
    sys.exit(f'no server on port {port}')


def run(workloads, text):
    """Runs the workload named by the first argument, with the rest as its arguments."""
    if len(sys.argv) < 2 or sys.argv[1] not in workloads:
        sys.exit(text + '\nworkloads: ' + ' '.join(sorted(workloads)))
    random.seed(sys.argv[1])
    try:
        workloads[sys.argv[1]](*(int(arg) if arg.isdigit() else arg for arg in sys.argv[2:]))
    except (ConnectionError, EOFError):
        sys.exit('the server ended before the workload did')

"""The program of a decoder process: takes one job after the other, until the service is gone.

    python -m service.pictures.isolated.child SOCKET SPARE_BYTES CPU_SECONDS

Each job may take the address space that its header asks for and SPARE_BYTES, and CPU_SECONDS of
processor time; no files are written, and no core.
"""

from __future__ import annotations

import math
import pickle
import resource
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

from service.errors import PictureError
from service.pictures.isolated.wire import BEGUN, EndedError, Wire, send_error, send_made
from service.pictures.limits import Limits
from service.pictures.making import make, prepare

JOB_LIMIT_BYTES = 2**26
FILE_LIMIT_BYTES = 2**40


def serve(end: socket.socket, spare_bytes: int, cpu_seconds: int) -> None:
    """Until the other end is closed."""
    # The service decides when this ends: it closes the socket, or kills.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(what, (0, 0))
    prepare(Limits())
    base = _address_space()
    wire = Wire(end)
    while True:
        try:
            # From the service, which is trusted; nothing that was uploaded is unpickled.
            job, memory_bytes = pickle.loads(wire.receive_long(JOB_LIMIT_BYTES))
            body = bytes(wire.receive_long(FILE_LIMIT_BYTES))
        except EndedError:
            return
        job = replace(job, header=replace(job.header, body=body))
        _limit(resource.RLIMIT_AS, base + memory_bytes + spare_bytes)
        _limit(resource.RLIMIT_CPU, math.ceil(_cpu_seconds()) + cpu_seconds)
        prepare(job.limits)
        wire.send(BEGUN)
        try:
            made = make(job)
        except PictureError as wrong:
            send_error(wire, wrong)
        else:
            send_made(wire, made)
            del made
        del job, body


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _limit(what: int, value: int) -> None:
    """The soft limit alone, so that the next job may have another."""
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    descriptor, spare, cpu = map(int, sys.argv[1:])
    serve(socket.socket(fileno=descriptor), spare, cpu)

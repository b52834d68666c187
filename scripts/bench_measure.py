"""Runs a command and prints what it took: wall seconds, CPU seconds, peak memory in MB.
Usage: python3 scripts/bench_measure.py COMMAND …   (what it prints itself is thrown away)
"""
import resource
import subprocess
import sys
import time

start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{wall:.2f} {used.ru_utime + used.ru_stime:.2f} {used.ru_maxrss / 1024:.0f}")

"""Settings that must stand before OpenMP is loaded."""

import os

# Tests share the smallest steps among up to four threads. On a machine that has other work to do, threads
# that wait by spinning would take from each other the very time they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

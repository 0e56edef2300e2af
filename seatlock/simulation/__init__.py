"""A rehearsal: a crowd of buyers let loose on a show of its own, and the proof that no seat was sold twice.

This package runs it and judges it; `seatlock simulate` displays it.
"""

from seatlock.simulation.proofs import Proof
from seatlock.simulation.report import Latency, Progress, Report
from seatlock.simulation.runner import Simulation
from seatlock.simulation.settings import Settings

__all__ = ["Latency", "Progress", "Proof", "Report", "Settings", "Simulation"]

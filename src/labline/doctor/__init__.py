"""The doctor: what would stand in the way, each with its mend."""

from labline.doctor.examination import CHECKS, chosen, examine
from labline.doctor.finding import Advice, Finding
from labline.doctor.port import refuse_busy_port

__all__ = ["CHECKS", "Advice", "Finding", "chosen", "examine", "refuse_busy_port"]

"""What this machine is and can: its disk, its clock, its limits. Measured, never judged."""

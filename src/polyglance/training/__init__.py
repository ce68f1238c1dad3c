"""The loop, its phases, schedules, checkpoints and logs."""

"""What an alarm is to a SCADA system; pure."""

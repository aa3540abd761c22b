"""Shows alarms to SCADA systems: an OPC UA server with Alarms and Conditions."""

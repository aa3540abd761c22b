"""What is computed: windows, scores, alarms; whoever reads and writes records stands outside."""

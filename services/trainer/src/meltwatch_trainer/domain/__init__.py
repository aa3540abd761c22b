"""Pure rules of training: what a member is, what a window's label is, how alarms are judged."""

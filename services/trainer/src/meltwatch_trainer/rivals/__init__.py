"""Translation and alignment, judged where the currents predict a part of the picture."""

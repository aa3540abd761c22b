"""How networks learn: the models of the study, their plan, and the loop that a kill only halts."""

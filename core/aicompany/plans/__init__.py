"""Plans: phases in order, the steps of a phase in parallel, a checkpoint after each phase."""

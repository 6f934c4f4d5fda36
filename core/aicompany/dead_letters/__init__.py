"""Dead letters: messages that could not be carried out, kept with the reason until somebody replays them."""

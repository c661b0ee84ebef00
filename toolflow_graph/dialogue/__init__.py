"""One dialogue: its state, the state machine that plays it, and what the machine runs on."""

"""The order of a step-up: what the application is run with before the proof, and what a proof is answered with."""

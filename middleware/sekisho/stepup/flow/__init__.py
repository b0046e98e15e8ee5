"""The steps of a step-up: issue a ticket, run the application in escrow, take the proof, redeem the ticket."""

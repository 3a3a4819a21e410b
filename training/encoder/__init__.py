"""The half that listens: front end, tone module and encoder, trained at once."""

"""What a finished model can do, alone (`decoder`) or shipped (`nano`, through the library), and how that is judged. What a trainer watches meanwhile is its stage's `validation`."""

"""Who takes part: `roster` lists them all, and needs every peer installed; the other modules need only their own."""

"""Learning rates drawn one by one, in place of a grid of them: how people tune with a budget of trials."""

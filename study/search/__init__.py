"""Learning rates drawn one by one instead of a grid of them: how people tune with a budget of trials."""

"""One training: build the model, train it, judge it, deliver the projected network and test it."""

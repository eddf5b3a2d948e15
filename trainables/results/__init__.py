"""The results folder: storage, the record of a trial, and packed files. All that analysis needs of a trial."""

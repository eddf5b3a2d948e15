from trainables.graph import Signature
from trainables.models.egnn import EGNN


def test_number_of_parameters_is_that_of_the_public_network():
    model = EGNN(Signature(scalars=0, vectors=1, edge_scalars=1, output="vectors"), hidden=64, layers=4)
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_020

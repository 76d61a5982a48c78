"""What each kind of mixture weights computes, as the tests of `adanet/ensembles` expect it."""

# From members' outputs and their weights to the logits. Rows are n, members j and logits c (d where
# a member's own logits are summed over); f are the features of all last layers side by side.
EQUATIONS = {
    "scalar": "njc,j->nc",
    "vector": "njc,jc->nc",
    "matrix": "nf,fc->nc",
}


def reads_last_layer(kind):
    """Whether it weighs the features of last layers instead of logits."""
    return "f" in EQUATIONS[kind]


def shape(kind, units, members=None, features=None):
    """The shape of all members' weights together, or of one's where `members` is not given."""
    sizes = {"j": members, "c": units, "d": units, "f": features}
    weight = EQUATIONS[kind].partition("->")[0].partition(",")[2]
    return tuple(sizes[letter] for letter in weight if sizes[letter] is not None)


def of_one(kind):
    """The equation for a single member."""
    return EQUATIONS[kind].replace("j", "")


def transposed(kind):
    """From outputs and the slope in the logits to the slope in the weights."""
    outputs, weight, logits = EQUATIONS[kind].replace("->", ",").split(",")
    return f"{outputs},{logits}->{weight}"

"""A Keras model as a graph: read, copied, edited, made again. Models are copied here only."""

from adaptive_nets.graphs.adopt import adopt as adopt
from adaptive_nets.graphs.adopt import retrace as retrace
from adaptive_nets.graphs.compile import compile_like as compile_like
from adaptive_nets.graphs.compile import copy_optimizer as copy_optimizer
from adaptive_nets.graphs.copy import Copier as Copier
from adaptive_nets.graphs.copy import copy_model as copy_model
from adaptive_nets.graphs.copy import fresh_copy as fresh_copy
from adaptive_nets.graphs.read import PLAIN_MODELS as PLAIN_MODELS
from adaptive_nets.graphs.read import check_finite as check_finite
from adaptive_nets.graphs.read import functional as functional
from adaptive_nets.graphs.read import ordered_nodes as ordered_nodes
from adaptive_nets.graphs.rebuild import GraphBuilder as GraphBuilder
from adaptive_nets.graphs.rebuild import input_like as input_like
from adaptive_nets.graphs.rewrite import Rewriter as Rewriter
from adaptive_nets.graphs.scope import again as again
from adaptive_nets.graphs.state import carry_state as carry_state

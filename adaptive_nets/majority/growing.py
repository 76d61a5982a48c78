"""Growth rules of majority layers: each of the k kernels grows like that of the stock layer."""

from adaptive_nets.growth import register_rule
from adaptive_nets.growth.core.registry import find_rule
from adaptive_nets.majority.layers import STOCK

for _majority, _stock in STOCK.items():
    _rule = find_rule(_stock)
    if _rule is not None:
        register_rule(_majority)(type(_rule))

"""AdaNet.CVX: a network that grows one unit at a time, each in closed form."""

"""What the core needs from the outside, stated in its own words.

Each port has one contract suite under tests/contract, which all its adapters pass.
"""

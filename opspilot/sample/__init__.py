"""A realistic log of five services over two hours, with eight faults in it, made from a seed."""

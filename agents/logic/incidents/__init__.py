"""From findings to incidents: which conditions are one trouble, and what stands out in it."""

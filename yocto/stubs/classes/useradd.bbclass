# Stands for oe-core's class of this name: the recipes inherit it, and parsing needs no more than that it exists.

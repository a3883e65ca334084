"""Data sets of labelled images, read from the files on this machine; nothing is downloaded.

Read `images` first (what a data set is, Fashion-MNIST, digits), then `idx` (the format of MNIST's family) and `cifar`.
"""

"""Data sets of labelled images, read from the files on this machine; nothing is downloaded.

Read `images` first (what a data set is, Fashion-MNIST in the format of MNIST's family, digits), then `cifar`.
"""

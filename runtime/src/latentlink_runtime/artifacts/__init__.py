"""Files of links, pairs, codecs and heads: read `artifact_file`, which has the one rule of their digest, and checks their arrays."""

"""Texts and regions of pictures in one transformer, as VL-BERT has it.

Su et al., "VL-BERT: pre-training of generic visual-linguistic representations" (ICLR 2020), which
Fei et al. (NAACL 2021, section 3) build on. One idea a file: tokens, where a region is, what it
looks like, the words' vectors, the transformer, and the stream that puts them in one sequence.
"""

"""Files of word vectors, in the formats in which they are published.

| format | written by |
|---|---|
| text | word2vec, GloVe, fastText (``.vec``), MUSE (``wiki.multi.*.vec``), BiVec, gensim |
| binary | word2vec and BiVec with ``-binary 1``, gensim |
| fastText model (``.bin``) | fastText, gensim; has the vectors of n-grams too |

:func:`read_vectors` tells them apart by what is in the file, and not by its name.
"""

from __future__ import annotations

from polyglance.text.vector_files.reading import read_subwords, read_vectors
from polyglance.text.vector_files.writing import write_binary, write_text

__all__ = ["read_subwords", "read_vectors", "write_binary", "write_text"]

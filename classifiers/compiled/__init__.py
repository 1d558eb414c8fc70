"""The compiled scorer: one pass over a text, the same answers as :mod:`classifiers.linear`, without matrices.

Data flows one way: ``cutting`` (tokens, sentences) and ``identifying`` (language) read code points,
``memo`` finds every token's word, ``word_vectors`` makes the vectors of words met for the first time, ``adding`` adds
them up.  ``engine`` puts these together.  Each module with compiled functions stands alone: the compiler's
cache looks at one file at a time.
"""

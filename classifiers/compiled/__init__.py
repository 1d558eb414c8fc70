"""The compiled scorer: one pass over a text, the same answers as :mod:`classifiers.linear`, without matrices.

Data flows one way.  ``cutting`` (tokens), ``parting`` (sentences) and ``identifying`` (language) read code points, by
the table of ``characters``; ``memo`` finds every token's word, ``word_vectors`` makes the rows of words met for the
first time, ``adding`` adds them up.  ``engine`` puts these together, ``compiling`` says how they are compiled.
"""

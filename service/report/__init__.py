"""The report: one folder of pages that needs nothing else to be read.

``counting.py`` and ``gathering.py`` bring together what is known (``content.py``), ``numbers.py``, ``sheets.py``,
``figures.py`` and ``drawings.py`` make figures, tables and plots of it, ``words.py`` and ``methods.py`` say it in
sentences, ``views.py`` and ``pages.py`` make the pages, ``writing.py`` the folder, and ``reading.py`` finds it again.
"""

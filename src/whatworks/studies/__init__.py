"""Published data, read where PyPI packages ship them, asked in our own objects.

``shipped.py`` finds a file inside an installed package without importing it; each study is one file
(or one folder, when it walks from a mapping). Data are never copied into this project.
"""

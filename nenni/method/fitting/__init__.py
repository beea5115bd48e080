"""The steps of a fit, one a file; :mod:`nenni.method.fit` puts them in order."""

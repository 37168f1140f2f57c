"""Pages and charts made from results of ``judge/`` and ``watch/``, self-contained: no network."""

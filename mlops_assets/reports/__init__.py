"""Pages and charts made from results of ``ml/``. Self-contained: nothing here reads a store or the network."""

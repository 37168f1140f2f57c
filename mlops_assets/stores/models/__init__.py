"""Model versions in the lake: records, the champion's pointer, cards, packages, rebuilding."""

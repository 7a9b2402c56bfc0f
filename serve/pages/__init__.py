"""Pages that stand alone: one HTML file with everything in it, and no request to anywhere."""

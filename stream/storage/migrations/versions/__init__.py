"""One file a version of the tables. What stands in them is never changed afterwards."""

"""What tests of an application or of an adapter take from Oneiric: a clock, and contract suites to inherit."""

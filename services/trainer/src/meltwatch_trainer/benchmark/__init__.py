"""The published networks on the recordings of the FMF-Benchmark, and their parity with our port."""

"""Everything between the input topics and the output topics, without a client library.

``Engine`` owns one ``PartitionPipeline`` per assigned partition number: records in, through the
reading order and the join, windows out, each furnace's in order. What it asks of Kafka and
Triton stands in ``ports``.
"""

"""Pure rules of the join: no I/O, no clock, no client library; effects are returned, not done.

One ``ReadingOrder`` and one ``PartitionJoiner`` serve one partition pair (partition i of both
input topics) from assignment to revocation:

1. ``merge.ReadingOrder``: ``push(entry)`` what was read, and ``told(asked_ns, ends)`` where the
   partitions end, about once a second; pause the topics of the modalities in ``ahead``.
2. ``joiner.advance(order.pop(), order.reading(now_ns))`` returns an ``Outcome``: what is to be
   done with the record, and the windows that closed. ``advance(None, …)`` once a second, when only
   time has passed.
3. Do what an outcome says from left to right. Say ``joiner.published(window)`` when a window's
   score is in the topic for good.
4. Commit what ``joiner.acknowledgeable()`` gives: no window to come needs a record before that.

On assignment ``restore.ScoresTail`` turns the committed offsets and the newest scores of the
partition into a ``Resumption``, from which a ``PartitionJoiner`` goes on.
"""

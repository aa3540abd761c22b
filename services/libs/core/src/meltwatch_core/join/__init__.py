"""Pure rules of the join: no I/O, no clock, no client library; effects are returned, not done.

One ``ReadingOrder`` and one ``PartitionJoiner`` serve one partition pair (partition i of both
input topics) from assignment to revocation. A turn of the pipeline is:

1. ``merge.ReadingOrder``: ``push(Entry)`` what was read, and ``told(asked_ns, ends)`` where
   the partitions end, about once a second; pause the topic modalities in ``ahead``, resume the
   others; take what ``pop()`` returns, in that order. ``reading(now_ns)`` says how far that is.
2. Each step of the joiner returns an ``Outcome``: ``hand_on(chunk, offset, reading)`` for an
   entry, ``refuse(modality, offset, refusal)`` for one that the record reader refused, and
   ``pass_time(reading)`` whenever the ends were told.
3. Perform an outcome from left to right: its ``refusal`` (dead letter) or ``late`` (copy), then
   score and publish its ``windows`` (``AlignedWindow``), in order per furnace, with
   ``joiner.published(window)`` for each, in the same order.
4. ``joiner.acknowledgeable()`` gives per modality the next offset to commit: every record below
   it is needed by no window still to be published.

On assignment: ``restore.ScoresTail(topics)``, fed with every score of the partition's tail, turns
the committed offsets into a ``Resumption`` for ``PartitionJoiner(...)``; ``restore.resume`` does it
for a list.

``AlignedWindow`` carries per modality its ``cuts`` (the score's ``inputs`` by topic), ``features``,
``sources``, ``clip`` (float16 ``[clip_frames, 64, d]``) and ``currents`` (float32
``[lookback_samples, 3]``), index 0 the oldest, None where unavailable.
"""

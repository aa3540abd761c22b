"""Pure rules of the join: no I/O, no clock, no client library; effects are returned, not done.

One ``ReadingOrder`` and one ``PartitionJoiner`` serve one partition pair (partition i of both
input topics) from assignment to revocation. A turn of the pipeline is:

1. ``merge.ReadingOrder``: ``push(Entry)`` what was read, and ``told(asked_ns, ends)`` where
   the partitions end, about once a second; pause the topic modalities in ``ahead``, resume the
   others; take what ``pop()`` returns, in that order. ``reading(now_ns)`` says how far that is.
2. An entry without ``last_event_ns`` was refused by the record reader: dead-letter it, then
   ``joiner.pass_over(modality, offset)``. ``joiner.is_history(modality, offset)`` tells that an
   earlier life has done so already.
3. ``joiner.hand_on(chunk, offset, reading) -> Outcome`` for every other entry, and
   ``joiner.pass_time(reading) -> Outcome`` whenever the ends were told. Perform the outcome's
   ``refusal`` (dead letter) and ``late`` (copy) *before* its windows are published.
4. Score and publish ``outcome.windows`` (``AlignedWindow``) in order per furnace, then
   ``joiner.published(window)`` for each, in the same order.
5. ``joiner.acknowledgeable()`` gives per modality the next offset to commit: every record below
   it is needed by no window still to be published.

On assignment: ``restore.ScoresTail(topics)``, fed with every score of the partition's tail, turns
the committed offsets into a ``Resumption`` for ``PartitionJoiner(...)``; ``restore.resume`` does it
for a list.

``AlignedWindow`` carries per modality its ``cuts`` (the score's ``inputs`` by topic), ``features``,
``sources``, ``clip`` (float16 ``[clip_frames, 64, d]``) and ``currents`` (float32
``[lookback_samples, 3]``), index 0 the oldest, None where unavailable.
"""

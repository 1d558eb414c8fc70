"""Bulk tagging: files, folders or the ledger in, one table of tags out; on all cores, or on a cluster.

The driver reads the input in chunks, and hands each to a process (:mod:`.pools`) or to a Dask worker
(:mod:`.dask_pool`), which cleans the posts, scores them and answers with the finished piece of the output
(:mod:`.work`).  The driver keeps every piece in a folder beside the output (:mod:`.side`) and appends them in
order (:mod:`.formats`), so that a run that was ended goes on where it was.
"""

"""Commands that run at the same time, each as a process of its own: on this machine, or on the workers of a Dask cluster.

A `Task` is a command with a log (`task`). A scheduler executes tasks (`schedulers`, `cluster`) on free devices
(`slots`). The runs of a sweep are tasks, and so are the parts of a large set of images (`sharding`).

Imports: `runtime`. Begin with `task.py` and `schedulers.py`.
"""

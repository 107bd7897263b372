"""Many runs at once: a grid of trainings and evaluations, and one page that compares them.

`python -m keras_vae.sweep --over latent=2,8,32 --over seed=0,1,2 --dataset mnist`. Data flows one way: the command
line becomes a `Grid` (`grid`), which is checked as a whole (`checking`) and written into a folder (`folder`). Its
trials are given to a scheduler (`running`), which is this machine or a Dask cluster. Each is executed as a process of
its own (`one_run`). Their results are compared (`comparison`), summarised (`recommendation`) and shown (`page`). All
state is in the folder.

Imports: `report`, `parallel`, `training`. Begin with `grid.py` and `running.py`.
"""

"""Many runs at once: a grid of trainings and evaluations, and one page that compares them.

`python -m keras_vae.sweep --over latent=2,8,32 --over seed=0,1,2 --dataset mnist`. Data flows one way: the command
line becomes a `Grid` (`grid`), which is checked whole (`checking`) and put into a folder (`folder`); its trials run
as processes (`running`, `one_run`) where there is room (`places`); what they leave is compared (`comparison`), told
in words (`recommendation`) and shown (`page`). What has been done is what lies in the folder: there is no other state.

Imports: `report`, `training`. Begin with `grid.py` and `running.py`.
"""

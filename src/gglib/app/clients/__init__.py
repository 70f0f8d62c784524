"""The programs that use gglib: what they speak, and how they get address, key, model and context.

One table for ``gglib connect``, ``launch`` and ``up``. It is in ``app``, because the page in ``proxy`` gets it passed
in like everything else that ``app`` knows: a proxy that another program embeds has no such commands to name.
"""

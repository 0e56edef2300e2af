"""The measurements against peers: ``make bench``, or ``python -m loadtests.bench --quick``.

One module a measurement; each gives plain results (`loadtests.bench.results`), from which `report` writes the page
and `plots` draws. Everything runs side by side on the same private server, the contestants taking turns in every
round, so that a slow minute of the machine hits all of them.
"""

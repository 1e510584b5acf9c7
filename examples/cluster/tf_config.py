"""Prints the TF_CONFIG of one process of a cluster: `python tf_config.py INDEX HOST:PORT HOST:PORT
...`.

The first address is that of the chief. With PARAMETER_SERVERS=1 in the environment, which
impl_lowlevel needs, the last address is that of a parameter server.
"""

import json
import os
import sys

index, addresses = int(sys.argv[1]), sys.argv[2:]
servers = int(os.environ.get("PARAMETER_SERVERS", 0))
workers = len(addresses) - servers
cluster = {"chief": addresses[:1], "worker": addresses[1:workers], "ps": addresses[workers:]}
places = [(role, place) for role, members in cluster.items() for place in range(len(members))]
role, place = places[index]
print(
    json.dumps(
        {
            "cluster": {role: members for role, members in cluster.items() if members},
            "task": {"type": role, "index": place},
        }
    )
)

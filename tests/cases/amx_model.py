"""The kernels of deployed networks with a model of the tile unit, for a process that is given up.

``pytest -p amx_model`` runs tests so, on a processor with AVX-512 and without tiles.
"""

from pathlib import Path

import deployment_cases

from nenni.deployment import compiled

deployment_cases.KERNELS.append("amx")
compiled._NAME = "nenni_deployment_amx_model"
compiled._SOURCES = tuple(s for s in compiled._SOURCES if s != "amx_permission.cpp")
compiled._FLAGS = (*compiled._FLAGS, "-include", str(Path(__file__).with_name("amx_model.h")))

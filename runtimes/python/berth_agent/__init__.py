"""The parts of Berth's Python agent (../agent.py): what there is beside its loop, one job each.

The package's name is private, because the function shares this interpreter: its modules and the agent's must not hide each other.

The agent imports little (a module of the language that is imported here would hide one of the function's of the same name), and takes
what it needs before the function's code can replace it. logging is slow to import, so it is imported before the function is
known, and set_path() (handler.py) lets go of what would hide modules of the function.
"""

import errno  # noqa: F401
import io  # noqa: F401
import json  # noqa: F401
import os  # noqa: F401
import re  # noqa: F401
import sys
import time  # noqa: F401

imported = set(sys.modules)
import logging  # noqa: E402, F401
import traceback  # noqa: E402, F401

GIVES_WAY = set(sys.modules) - imported  # the names of all modules that this has brought

"""What is broken: runs that nothing has happened to yet. And how much is tried.

`pytest tests/faults --hypothesis-profile=long` searches on, by other random numbers each time: some 25 minutes of a core.
"""

import chains
import pytest
from hypothesis import HealthCheck, settings
from killing import Server

COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

settings.register_profile("short", derandomize=True, max_examples=40, **COMMON)
settings.register_profile("long", derandomize=False, max_examples=1000, **COMMON)
settings.load_profile("short")


@pytest.fixture(scope="session")
def server():
    """What starts the commands."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def undisturbed(server, tmp_path_factory):
    """The folder of a run that nothing happens to."""
    return chains.undisturbed_run(server, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def evaluated(server, undisturbed, tmp_path_factory):
    """The same, evaluated."""
    return chains.undisturbed_evaluation(server, undisturbed, tmp_path_factory.mktemp("evaluated"))

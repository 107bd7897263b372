"""How much is tried: `pytest tests/faults --hypothesis-profile=long` searches on, by other random numbers each time."""

from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

settings.register_profile("short", derandomize=True, max_examples=40, **COMMON)
settings.register_profile("long", derandomize=False, max_examples=3000, **COMMON)
settings.load_profile("short")

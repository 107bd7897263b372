"""Health probes: paths that orchestrators and clients ask, from Kubernetes' customs and KServe's protocols.

GET /  (without text/html in Accept)      {"status": "alive"}, as KServe's v1 client asks
GET /health /healthz /livez /v2/health/live
GET /readyz /v2/health/ready              503 while a model has no loaded version
GET /v2/models/NAME[/versions/N]/ready
"""

import re

from keras_vae.serving.json_tensors import dumps

LIVE = ("/health", "/healthz", "/livez", "/v2/health/live")
READY = ("/readyz", "/v2/health/ready")
MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/(\d+))?/ready")


def probe(models, path):
    """Returns the HTTP status and the body of a probe, JSON in bytes; None if `path` is not one.

    Args:
        models: A dict of `Model` by name.
        path: The path of a GET request.
    """
    if path in LIVE:
        return 200, dumps({"status": "alive", "live": True})
    if path in READY:
        waiting = [name for name, model in models.items() if not model.is_ready()]
        return (503 if waiting else 200), dumps({"ready": not waiting, "waiting": waiting})
    if found := MODEL.fullmatch(path):
        name, number = found.groups()
        if name not in models:
            return 404, dumps({"error": f"Could not find any versions of model {name}"})
        ready = models[name].is_ready(int(number) if number else None)
        return (200 if ready else 503), dumps({"name": name, "ready": ready})
    return None


def is_probe_of_root(path, accept):
    """Returns whether a GET request for `/` comes from a probe: browsers accept text/html by name."""
    return path == "/" and "text/html" not in accept
